// H17: a call that is rejected for overload after its request was read is paid for by what was read.

import { Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import type { AnyService } from '../../src/calls/call.ts';
import { createCalls } from '../../src/calls/calls.ts';
import type { OpenCall } from '../../src/calls/open-call.ts';
import { NO_PENALTY, penaltyPaid, THROTTLE_MS } from '../../src/calls/penalty.ts';
import { EctError, reject } from '../../src/errors.ts';
import { createResources, DEFAULT_PROCESS_LIMITS } from '../../src/limits/index.ts';
import { workload } from '../support/callers.ts';
import { arrival, noRequest, setUp } from './arrivals.ts';

const KIB = 1024;

/** Calls of a service whose responses never have room, each from a connection of its own. */
function setUpFull(options: { readonly withTokens?: boolean } = {}) {
  const resources = createResources(DEFAULT_PROCESS_LIMITS);
  const { service, events, endOfStreams, identify } = setUp(() => ({}), 'callers', resources);
  const limits: string[] = [];
  if (options.withTokens === true) {
    identify.mockImplementation(() => {
      throw new EctError(reject('CALLER_UNTRUSTED', 'the request has no credential'));
    });
  }
  let names = ['behind'];
  let called = 0;
  const authenticate = () => workload(`spiffe://example.com/${names[called++ % names.length]}`);
  const calls = createCalls({
    events,
    identify,
    ...(options.withTokens && { authenticate }),
    endOfStreams: endOfStreams.signal,
    resources: { ...resources, onLimit: (limit) => void limits.push(limit) },
  });
  const full: AnyService = { ...service, answerBytes: { getKeySet: () => 1024 } };
  const rejectedAfter = async (bytes: number, socket = new Socket()): Promise<OpenCall> => {
    const call = calls.open({ ...arrival, socket }, 'unary', undefined);
    call.requestBytes = bytes;
    call.reserve = () => false;
    await expect(calls.run(full, 'getKeySet', noRequest, call)).rejects.toMatchObject({ reason: 'SERVICE_OVERLOADED' });
    return call;
  };
  /** Calls of several callers from now on. */
  const behind = (...several: string[]) => {
    names = several;
  };
  return { rejectedAfter, behind, limits };
}

/** Rejects calls of so many bytes and returns their penalties. */
async function penaltiesOf(rejectedAfter: (bytes: number) => Promise<OpenCall>, calls: number, bytes: number) {
  const penalties: unknown[] = [];
  for (let call = 0; call < calls; call++) penalties.push((await rejectedAfter(bytes)).penalty);
  return penalties;
}

describe('H17: what was read in vain', () => {
  test('small requests have no penalty, however many are rejected', async () => {
    const { rejectedAfter } = setUpFull();
    expect(new Set(await penaltiesOf(rejectedAfter, 500, 500))).toEqual(new Set([NO_PENALTY]));
  });

  test('after 16 MiB each further connection of the account is not read until its share is paid, up to 5 s', async () => {
    const { rejectedAfter, limits } = setUpFull();
    const penalties = await penaltiesOf(rejectedAfter, 200, 1024 * KIB);
    expect(penalties.slice(0, 15), 'what a batch client may lose').toEqual(
      Array.from({ length: 15 }, () => NO_PENALTY),
    );
    const later = penalties.slice(20) as number[];
    // 1 MiB costs 64 rejections, of which an account has 500 a second.
    for (const [at, pause] of later.slice(1, 20).entries()) expect(pause).toBeGreaterThan(later[at]!);
    expect(later[10]! - later[0]!).toBeGreaterThan(1_000);
    expect(Math.max(...later)).toBe(5_000);
    expect(limits).toContain('rejections');
  });

  test('the account has paid for a flood soon after it has ended', async () => {
    const { rejectedAfter } = setUpFull();
    // 200 of 16 MiB would take seven minutes.
    const penalties = await penaltiesOf(rejectedAfter, 200, 16 * 1024 * KIB);
    expect(penalties.at(-1)).toBe(5_000);
    using _ = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 65_000);
    expect((await rejectedAfter(500)).penalty).toBe(NO_PENALTY);
  });

  test('H48: a connection with calls of several callers is read at 64 MiB a second, so that none waits for long', async () => {
    const { rejectedAfter, behind, limits } = setUpFull({ withTokens: true });
    behind('a', 'b');
    const socket = new Socket();
    const penalties: unknown[] = [];
    for (let call = 0; call < 200; call++) penalties.push((await rejectedAfter(1024 * KIB, socket)).penalty);
    expect(new Set(penalties)).toEqual(new Set([NO_PENALTY, 16]));
    expect((await rejectedAfter(10 * KIB, socket)).penalty).toBe(NO_PENALTY);
    expect(limits).toContain('rejections');
  });

  test('a connection that may carry the calls of many callers stops for 100 ms only', async () => {
    const { rejectedAfter } = setUpFull({ withTokens: true });
    const penalties = (await penaltiesOf(rejectedAfter, 200, 1024 * KIB)) as number[];
    expect(Math.max(...penalties)).toBe(THROTTLE_MS);
  });

  test('where a connection cannot be paused, its response waits as long, but for no peer that has gone, and not while the service stops', async () => {
    const [peer, stopping] = [new AbortController(), new AbortController()];
    const paid: string[] = [];
    const wait = (name: string, penalty: number, signal: AbortSignal) =>
      penaltyPaid(penalty, [signal, stopping.signal]).then(() => paid.push(name));
    const waits = [
      wait('until the stop', 6_000, new AbortController().signal),
      wait('5 s', 5_000, new AbortController().signal),
      wait('gone', 4_000, peer.signal),
      wait('none', NO_PENALTY, new AbortController().signal),
    ];
    await waits[3];
    expect(paid).toEqual(['none']);
    peer.abort();
    await waits[2];
    await vi.advanceTimersByTimeAsync(4_999);
    expect(paid).toEqual(['none', 'gone']);
    await vi.advanceTimersByTimeAsync(1);
    expect(paid).toEqual(['none', 'gone', '5 s']);
    stopping.abort();
    await waits[0];
    await wait('stopped', 5_000, peer.signal);
    expect(paid).toEqual(['none', 'gone', '5 s', 'until the stop', 'stopped']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
