// A batch that was accepted is accepted when it is repeated: its receipts may then be of a larger ledger. How much larger follows from the
// time for which its tokens are returned.

import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { depthOf, entriesWhileValid } from '../../src/api/proof-depth.ts';
import type { Call } from '../../src/calls/call.ts';
import { BatchIssueRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { Level } from '../../src/gen/ect/v1/token_pb.ts';
import { makeAuthority } from '../support/authority.ts';

const { context } = await makeAuthority();
const HIGHEST_RATE = 32_768;
const DAY = 86_400n;
const HASH_BYTES = 32;
const CALL: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note: () => {},
};

function meanwhile(...lives: readonly (bigint | undefined)[]): number {
  const items = lives.map((seconds) => ({ request: seconds === undefined ? {} : { ttl: { seconds } } }));
  return entriesWhileValid(context, create(BatchIssueRequestSchema, { items }).items);
}

test.each([1n, 60n, 600n, 3_600n])(
  'what is recorded at the highest rate while a token of %d s lives is counted',
  (life) => {
    expect(meanwhile(life)).toBeGreaterThanOrEqual(Number(life) * HIGHEST_RATE);
  },
);

test('the token that lives longest decides, since the whole batch is repeated; without ttl it is the default', () => {
  expect(meanwhile(60n, 3_600n, 1n)).toBe(meanwhile(3_600n));
  expect(meanwhile(undefined)).toBe(meanwhile(BigInt(context.policy.defaultTtlSeconds)));
});

test('a day counts with its average, and what no token may have counts as no more', () => {
  expect(meanwhile(DAY)).toBe(2 ** 28);
  for (const life of [2n ** 63n - 1n, -(2n ** 63n)]) expect(meanwhile(life)).toBeLessThanOrEqual(2 ** 28);
  expect(meanwhile(-(2n ** 63n))).toBeGreaterThan(0);
});

test('a batch of tokens with the default lifetime needs three hashes less in each proof than one of a day', () => {
  expect([depthOf(context, meanwhile(undefined)), depthOf(context, meanwhile(DAY)), depthOf(context)]).toEqual([
    25, 28, 28,
  ]);
});

test('so the bound of its response is smaller', async () => {
  const boundOf = (seconds: bigint | undefined) => {
    const request = { execAct: 'act', aud: ['urn:example:reader'], level: Level.L3 };
    const items = Array.from({ length: 100 }, () => ({
      request: { ...request, ...(seconds && { ttl: { seconds } }) },
    }));
    return authorityService(context).answerBytes?.batchIssue?.(create(BatchIssueRequestSchema, { items }), CALL);
  };
  const [ofDefault, ofDay] = [await boundOf(undefined), await boundOf(DAY)];
  expect(Number(ofDay) - Number(ofDefault)).toBeGreaterThanOrEqual(100 * 3 * HASH_BYTES);
});
