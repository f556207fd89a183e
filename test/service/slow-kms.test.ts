// Calls that come faster than KMS signs, for a while: who is served, who is rejected, and what it costs in memory.
// SLOW_KMS_SECONDS=30 runs the long form.

import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { costOf } from '../../bench/process-cost.ts';
import { startTrialKms } from '../../kms-double/trial.ts';
import type { Issued, Verdict } from '../interop/answers.ts';
import { type CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const SECONDS = Number(process.env['SLOW_KMS_SECONDS'] ?? 4);
const DELAY_MS = 200;
const CONCURRENCY = 16;
/** Sixteen at once and 200 ms each are 80 a second; it is asked for five times that. */
const OFFERED_PER_SECOND = 400;
const TICK_MS = 25;
const PER_TICK = (OFFERED_PER_SECOND * TICK_MS) / 1000;
const MIB = 2 ** 20;
/** What the garbage of a busy process may hold on to, with V8's young generation bounded. */
const MOST_GROWTH_MIB = 64;

const issue = (client: GrpcClient) =>
  client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [AUDIENCE] });

test(
  `D8 ${SECONDS} s of five times more calls than KMS signs: the excess is SIGNER_BUSY, and memory stays`,
  async () => {
    const { double, settings } = await startTrialKms({ delayMs: DELAY_MS });
    onTestFinished(() => double[Symbol.asyncDispose]());
    await using service = await startService({
      ...settings,
      ECT_KMS_CONCURRENCY: String(CONCURRENCY),
      ECT_LOG_LEVEL: 'error',
    });
    using client = dial(service.address);
    const { token } = await issue(client);
    const outcomes = new Map<string, number>();
    const count = (name: string) => outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    const calls: Promise<unknown>[] = [];
    let rssBefore = 0;
    const startMs = performance.now();
    for (let tick = 0; tick * TICK_MS < SECONDS * 1000; tick++) {
      await pause(Math.max(0, startMs + tick * TICK_MS - performance.now()));
      for (let n = 0; n < PER_TICK; n++) {
        calls.push(
          issue(client).then(
            () => count('issued'),
            ({ reason, message }: CallError) => count(reason ?? message),
          ),
        );
      }
      // Calls that need no signature are served all the while.
      if (tick % 40 === 0) {
        const verify = { token, audience: AUDIENCE, replay_mode: 'REPLAY_MODE_SKIP' };
        expect(await client.call<Verdict>(`${AUTHORITY}/Verify`, verify)).toMatchObject({ valid: true });
      }
      // Warm after a quarter of the time.
      if (rssBefore === 0 && tick * TICK_MS >= SECONDS * 250) rssBefore = (await costOf(service.pid)).rssBytes;
    }
    await Promise.all(calls);
    const seconds = (performance.now() - startMs) / 1000;
    const growthMib = ((await costOf(service.pid)).rssBytes - rssBefore) / MIB;
    const issued = outcomes.get('issued') ?? 0;
    console.log(
      `slow KMS: ${calls.length} calls in ${seconds.toFixed(1)} s, ${JSON.stringify(Object.fromEntries(outcomes))}, ` +
        `${double.mostAtOnce()} at once at most, resident memory ${growthMib.toFixed(1)} MiB more than after a quarter`,
    );
    expect([...outcomes.keys()].toSorted()).toEqual(['SIGNER_BUSY', 'issued']);
    // Never more than there are places for, and on a busy machine still a good part of them.
    expect(issued).toBeLessThanOrEqual(CONCURRENCY * (seconds / (DELAY_MS / 1000) + 1));
    expect(issued).toBeGreaterThan(0.2 * CONCURRENCY * (SECONDS / (DELAY_MS / 1000)));
    expect(double.mostAtOnce()).toBeLessThanOrEqual(CONCURRENCY);
    expect(growthMib).toBeLessThan(MOST_GROWTH_MIB);
    // Nothing is left of it: the next call is served.
    await issue(client);
  },
  SECONDS * 1000 + 300_000,
);
