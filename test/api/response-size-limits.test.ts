// What it costs to know how large an answer can become: little, whatever is sent. What is longer than it may be is known by its
// length, and is rejected item by item.

import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { faultBytes } from '../../src/api/detail-budget.ts';
import type { Call } from '../../src/calls/call.ts';
import { MAX_BATCH_BYTES } from '../../src/calls/message-limits.ts';
import {
  BatchAppendLedgerRequestSchema,
  BatchIssueRequestSchema,
  BatchVerifyRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { makeAuthority } from '../support/authority.ts';
import { AUD } from '../support/tokens.ts';

const CALL: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note: () => {},
};
const { context } = await makeAuthority();
const { answerBytes, procedures } = authorityService(context);

function signed(payload: string): string {
  return `e.${Buffer.from(payload).toString('base64url')}.x`;
}

/** So many bytes of JSON, with as much to parse in them as there can be. */
function listOf(element: string, bytes: number): string {
  return `{"pred":[${Array.from({ length: Math.floor(bytes / (element.length + 1)) }, () => element).join()}]}`;
}

const appended = (token: string, dryRun = false) =>
  answerBytes?.batchAppendLedger?.(
    create(BatchAppendLedgerRequestSchema, { items: [{ request: { token, dryRun } }] }),
    CALL,
  );
const verified = (token: string) =>
  answerBytes?.batchVerify?.(create(BatchVerifyRequestSchema, { items: [{ request: { token } }] }), CALL);
const issued = (request: object) =>
  answerBytes?.batchIssue?.(create(BatchIssueRequestSchema, { items: [{ request }] }), CALL);

const LARGE = 3_000_000;
const ISSUE = { execAct: 'review', aud: [AUD] };

/** Microseconds of processor time. */
function cpuOf(run: () => unknown): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

describe('H24 the size of an answer to what exceeds a limit', () => {
  const cases: readonly (readonly [string, () => unknown])[] = [
    ['a token with many predecessors', (token = signed(listOf('"a"', LARGE))) => appended(token)],
    ['a token with many objects', (token = signed(listOf('{}', LARGE))) => appended(token)],
    ['a token that is an open bracket', (token = signed('['.repeat(LARGE))) => appended(token)],
    ['a token to append in a dry run', (token = signed(listOf('"a"', LARGE))) => appended(token, true)],
    ['a short token with many predecessors', (token = signed(listOf('{}', 12_000))) => appended(token)],
    ['a short token that cannot be read', (token = signed('['.repeat(12_000))) => appended(token)],
    ['an unsigned token', (token = listOf('{}', LARGE)) => appended(token)],
    ['a token to verify', (token = signed(listOf('{}', LARGE))) => verified(token)],
    ['an action', (execAct = '\u0001'.repeat(LARGE)) => issued({ ...ISSUE, execAct })],
    ['an audience', (aud = ['\u0001'.repeat(LARGE)]) => issued({ ...ISSUE, aud })],
    ['many audiences', (aud = Array.from({ length: 500_000 }, () => 'a')) => issued({ ...ISSUE, aud })],
    ['many predecessors', (pred = Array.from({ length: 500_000 }, () => 'a')) => issued({ ...ISSUE, pred })],
    ['an id', (jti = '"'.repeat(LARGE)) => issued({ ...ISSUE, jti })],
    ['a hash', (value = '"'.repeat(LARGE)) => issued({ ...ISSUE, inputBinding: { case: 'inpHash', value } })],
    ['an extension', (value = listOf('{}', LARGE)) => issued({ ...ISSUE, extension: { case: 'ectExtJson', value } })],
  ];

  const DETAILED: Readonly<Record<string, number>> = {
    'a token to verify': 40_000,
    'a token to append in a dry run': 8_000,
  };
  test.each(cases)('is that of a rejection: %s', async (what, size) => {
    // What a verdict, or a rejected request, may say in detail comes on top.
    expect(Number(await size()) - faultBytes(1)).toBeLessThan(DETAILED[what] ?? 4_000);
  });

  test('and costs a small part of what it costs to look at it', () => {
    const token = signed(listOf('"a"', LARGE));
    const look = () => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const rounds = 5;
    for (const size of [appended, verified]) {
      const cost = cpuOf(() => {
        for (let round = 0; round < rounds; round++) void size(token);
      });
      const baseline = cpuOf(() => {
        for (let round = 0; round < rounds; round++) look();
      });
      expect(cost).toBeLessThan(baseline / 10);
    }
  });

  test('each item has an error of its own', async () => {
    const token = signed(listOf('"a"', LARGE));
    const request = create(BatchAppendLedgerRequestSchema, { items: [{ request: { token } }] });
    expect(await procedures.batchAppendLedger(request, CALL)).toMatchObject({
      results: [{ result: { case: 'error', value: { message: expect.stringContaining('The token is too long.') } } }],
    });
  });

  test('too many items are measured by their number', () => {
    const items = Array.from({ length: 1_001 }, () => ({ request: { token: 'a' } }));
    expect(answerBytes?.batchAppendLedger?.(create(BatchAppendLedgerRequestSchema, { items }), CALL)).toBe(0);
  });
});

test('H24 the sizes of as many tokens as a request holds are found in slices', async () => {
  const { maxTokenBytes } = context.policy.token;
  const token = signed(listOf('{}', (maxTokenBytes * 3) / 4 - 40));
  expect(token.length).toBeLessThanOrEqual(maxTokenBytes);
  const items = Array.from({ length: Math.floor(MAX_BATCH_BYTES / maxTokenBytes) }, () => ({ request: { token } }));
  const size = answerBytes?.batchAppendLedger?.(create(BatchAppendLedgerRequestSchema, { items }), CALL);
  let turns = 0;
  let isCounting = true;
  const count = () => {
    turns++;
    if (isCounting) setImmediate(count);
  };
  setImmediate(count);
  await size;
  isCounting = false;
  expect(turns).toBeGreaterThan(30);
});
