// H24: answers that are large. Each is either given whole, or its call was rejected before anything was recorded; and what
// was recorded for an answer that got lost is answered to the same request id.

import { setTimeout as pause } from 'node:timers/promises';
import { status as codes } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import type { Issued } from '../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { FULL, rounds } from '../support/full.ts';
import { startService } from '../support/service-process.ts';

const BATCH_ISSUE = 'ect.v1.AuthorityService/BatchIssue';
const ITEMS = 1_000;
const CALLS = 8;
const ROUNDS = rounds(3, 1);
const L3 = { exec_act: 'review', aud: ['urn:example:reviewer'], level: 'LEVEL_L3' };

/** So that eight answers together are more than a connection may hold. */
const NOTED = { ect_ext_json: JSON.stringify({ note: 'x'.repeat(350) }) };

type Batch = { readonly results: readonly { readonly response?: Issued }[] };

/** With a key for each item, where it is given a name. */
function batchOf(count: number, name?: string, more: object = {}) {
  const keyOf = (at: number) => (name === undefined ? {} : { request_id: `${name}-${at}` });
  return { items: Array.from({ length: count }, (_, at) => ({ request: { ...L3, ...more, ...keyOf(at) } })) };
}

async function tokensOf(client: GrpcClient, batch: object, options = {}): Promise<readonly string[]> {
  const { results } = await client.call<Batch>(BATCH_ISSUE, batch, options);
  return results.map(({ response }) => response?.token ?? '');
}

async function sizeOf(client: GrpcClient): Promise<number> {
  return Number((await client.call<{ tree_size: string }>('ect.v1.LedgerService/GetCheckpoint', {})).tree_size);
}

const HTTP2 = FULL ? [['engine'], ['node']] : [['engine']];

describe.each(HTTP2)('over HTTP/2 by %s', (http2) => {
  test(`H24 ${CALLS} batches of ${ITEMS} L3 at once on one connection: answered whole, or nothing was recorded`, async () => {
    await using service = await startService({ ECT_HTTP2: http2, ECT_LOG_LEVEL: 'warn' });
    using client = dial(service.address);
    for (let round = 0; round < ROUNDS; round++) {
      let left = CALLS;
      // Rejected calls are repeated: in the end all are served.
      while (left > 0) {
        const before = await sizeOf(client);
        const calls = Array.from({ length: left }, () => tokensOf(client, batchOf(ITEMS, undefined, NOTED)));
        let answered = 0;
        for (const call of await Promise.allSettled(calls)) {
          if (call.status === 'fulfilled') {
            expect(new Set(call.value.filter((token) => token !== '')).size).toBe(ITEMS);
            answered++;
          } else {
            expect(call.reason).toMatchObject({ code: codes.UNAVAILABLE, reason: 'SERVICE_OVERLOADED' });
          }
        }
        expect(answered).toBeGreaterThan(0);
        expect((await sizeOf(client)) - before).toBe(answered * ITEMS);
        left -= answered;
      }
    }
    expect(service.events('bug')).toEqual([]);
  });

  test('H24 an answer that no gRPC client would take is rejected by its size, and nothing is recorded', async () => {
    await using service = await startService({ ECT_HTTP2: http2 });
    using client = dial(service.address);
    const before = await sizeOf(client);
    const large = batchOf(ITEMS, undefined, { ect_ext_json: JSON.stringify({ note: 'x'.repeat(1_000) }) });
    const error = await client.call(BATCH_ISSUE, large).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CallError);
    expect(error).toMatchObject({ code: codes.RESOURCE_EXHAUSTED, reason: 'MESSAGE_TOO_LARGE' });
    expect((error as CallError).info?.metadata).toEqual({ limit_bytes: String(4 << 20) });
    expect(await sizeOf(client)).toBe(before);
    // Half of it is one answer.
    const half = { items: large.items.slice(0, ITEMS / 2) };
    expect(new Set(await tokensOf(client, half)).size).toBe(ITEMS / 2);
  });
});

test('H24 over HTTP/1.1 in JSON it is the same', async () => {
  await using service = await startService({ ECT_LOG_LEVEL: 'warn' });
  const call = async (note: string) => {
    const request = {
      execAct: 'review',
      aud: ['urn:example:reviewer'],
      level: 'LEVEL_L3',
      ectExtJson: `{"note":"${note}"}`,
    };
    const body = JSON.stringify({ items: Array.from({ length: ITEMS }, () => ({ request })) });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${service.url}/${BATCH_ISSUE}`, { method: 'POST', headers, body });
    return { status: answer.status, text: await answer.text() };
  };
  const rejected = await call('x'.repeat(1_000));
  expect(rejected.status).toBe(429);
  expect(rejected.text).toContain('MESSAGE_TOO_LARGE');
  const answers = await Promise.all(Array.from({ length: CALLS }, () => call('')));
  const whole = answers.filter(({ status }) => status === 200);
  for (const { text } of whole) expect((JSON.parse(text) as Batch).results).toHaveLength(ITEMS);
  for (const { status, text } of answers)
    if (status !== 200) expect([status, text]).toEqual([503, expect.stringContaining('SERVICE_OVERLOADED')]);
  using client = dial(service.address);
  expect((await sizeOf(client)) % ITEMS).toBeLessThan(10);
  expect(Math.floor((await sizeOf(client)) / ITEMS)).toBe(whole.length);
});

describe.each(['1', '2'])('with %s worker(s)', (workers) => {
  test('H24 R8 what was recorded for an answer that got lost is answered to the same keys, also after a restart', async () => {
    const count = 200;
    await using service = await startService({ ECT_WORKERS: workers });
    const before = await (async () => {
      using client = dial(service.address);
      return await sizeOf(client);
    })();
    // The deadline passes, the caller cancels, the connection is cut: each time somewhere in the work.
    for (const afterMs of [5, 20, 40, 80]) {
      using impatient = dial(service.address);
      await tokensOf(impatient, batchOf(count, 'a'), { deadline: Date.now() + afterMs }).catch(() => undefined);
      const cut = dial(service.address);
      const lost = tokensOf(cut, batchOf(count, 'a')).catch(() => undefined);
      await pause(afterMs);
      cut[Symbol.dispose]();
      await lost;
    }
    const tokens: (readonly string[])[] = [];
    for (let run = 0; run < 2; run++) {
      if (run === 1) {
        expect(await service.stop()).toBe(0);
        await service.restart();
      }
      for (let connection = 0; connection < 4; connection++) {
        using client = dial(service.address);
        tokens.push(await tokensOf(client, batchOf(count, 'a')));
      }
    }
    expect(new Set(tokens[0]).size).toBe(count);
    for (const again of tokens) expect(again).toEqual(tokens[0]);
    using client = dial(service.address);
    expect((await sizeOf(client)) - before).toBe(count);
  });
});
