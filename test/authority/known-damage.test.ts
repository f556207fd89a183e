// While damage of the ledger is known, no procedure takes "not found" for a fact. Each of these would answer something wrong
// where an index does not lead to an entry that is there.

import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, test } from 'vitest';
import { ledgerService } from '../../src/api/ledger.ts';
import { dryRunAppend } from '../../src/authority/dry-run.ts';
import { appendBatch, validateDag } from '../../src/authority/index.ts';
import type { Call } from '../../src/calls/call.ts';
import {
  EntryKind,
  GetEntryRequestSchema,
  GetWorkflowRequestSchema,
  ListEntriesRequestSchema,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { GuardedLedgerStore } from '../../src/stores/guarded-ledger-store.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority, type TestAuthority } from '../support/authority.ts';
import { WID } from '../support/tokens.ts';
import { anonymous, appendTo, endless, issueFor, reasonOf, recordTask, verifyFor } from './support.ts';

const call: Call = { method: 'test', caller: { kind: 'anonymous' }, signal: endless.signal, note() {} };
const UNKNOWN = '0b7b1d2e-6f0e-4b54-9f4c-1f6a5c0a7f11';

let isFound: boolean;
let authority: TestAuthority;
let recorded: { readonly jti: string; readonly token: string };
/** Never recorded; the second one follows a task that is not there. */
let [plain, orphan] = ['', ''];
/** Follows the recorded one, and is recorded as well. */
let child = '';

beforeEach(async () => {
  isFound = false;
  const damage = { isFound: () => isFound, found: () => undefined };
  authority = await makeAuthority(new GuardedLedgerStore(new MemoryLedgerStore(), damage));
  const { context } = authority;
  const { token, claims } = await issueFor(context, { wid: WID, level: 'L3' });
  recorded = { jti: claims.jti, token };
  plain = (await issueFor(context)).token;
  orphan = (await issueFor(context, { pred: [UNKNOWN] })).token;
  child = (await issueFor(context, { wid: WID, pred: [recorded.jti], level: 'L3' })).token;
});

type Ask = () => Promise<unknown>;

const parts = () => authority.context;
const service = () => ledgerService(parts()).procedures;
const list = (query: object) => service().listEntries(create(ListEntriesRequestSchema, query), call);

describe('L7 L27 what rests on an index is LEDGER_CORRUPT, and was another answer before', () => {
  test.each<[string, Ask]>([
    ['GetEntry of a name', () => getEntry(named(UNKNOWN))],
    ['Issue after a task that is not found', () => issueFor(parts(), { pred: [UNKNOWN] })],
    ['Issue under a name of the caller’s own', () => issueFor(parts(), { jti: crypto.randomUUID() })],
    [
      'Issue of what is recorded after a task that is not found',
      () => issueFor(parts(), { pred: [UNKNOWN], level: 'L3' }),
    ],
    ['Verify of a graph', () => verifyFor(parts(), plain, { dag: 'partial' })],
    ['Verify of a complete graph', () => verifyFor(parts(), orphan, { dag: 'complete' })],
    ['Verify of the level L3', () => verifyFor(parts(), plain, { minimumLevel: 'L3' })],
    ['AppendLedger', () => appendTo(parts(), plain)],
    ['AppendLedger after a task that is not found', () => appendTo(parts(), orphan)],
    ['a dry run of AppendLedger', () => dryRunAppend(parts(), anonymous, plain, endless)],
    ['ValidateDAG of a token', () => validateDag(parts(), { kind: 'token', token: orphan, predecessors: [] }, endless)],
    ['ValidateDAG of a workflow', () => validateDag(parts(), { kind: 'workflow', wid: 'none' }, endless)],
    [
      'ValidateDAG of tokens, which marks may taint',
      () => validateDag(parts(), { kind: 'bundle', tokens: [plain] }, endless),
    ],
    ['GetWorkflow', async () => service().getWorkflow(create(GetWorkflowRequestSchema, { wid: WID }), call)],
    ['a list of a workflow', async () => list({ wid: WID })],
    ['a list of marks', async () => list({ kinds: [EntryKind.TAINT] })],
    ['a list of an issuer', async () => list({ iss: 'urn:ect:test' })],
  ])('%s', async (_, ask) => {
    expect(await reasonOf(ask())).not.toBe('LEDGER_CORRUPT');
    isFound = true;
    expect(await reasonOf(ask())).toBe('LEDGER_CORRUPT');
  });

  test('BatchAppendLedger, for each token by itself', async () => {
    isFound = true;
    const results = await appendBatch(parts(), anonymous, [plain, child, orphan], endless.signal);
    const reasons = results.map((result) => ('reason' in result ? result.reason : 'OK'));
    expect(reasons).toEqual(['LEDGER_CORRUPT', 'OK', 'LEDGER_CORRUPT']);
  });
});

describe('what is found, and what asks no index, is answered as before', () => {
  test.each<[string, Ask]>([
    ['GetEntry of a task by its name', () => getEntry(named(recorded.jti, WID))],
    ['GetEntry by its index', () => getEntry({ case: 'index', value: 0n })],
    ['a list of all entries', async () => list({})],
    ['Issue', () => issueFor(parts())],
    ['AppendLedger of what is recorded already', () => appendTo(parts(), child)],
    ['Verify without the graph', () => verifyFor(parts(), plain)],
    ['Verify of the level L3', () => verifyFor(parts(), recorded.token, { minimumLevel: 'L3' })],
  ])('%s', async (_, ask) => {
    isFound = true;
    expect(await reasonOf(ask())).toBe('OK');
  });
});

function named(jti: string, wid = ''): object {
  return { case: 'task', value: { jti, wid } };
}

async function getEntry(name: object): Promise<unknown> {
  return service().getEntry(create(GetEntryRequestSchema, { name } as never), call);
}

test('afterwards everything is answered again', async () => {
  isFound = true;
  expect(await reasonOf(getEntry(named(UNKNOWN)))).toBe('LEDGER_CORRUPT');
  isFound = false;
  expect(await reasonOf(getEntry(named(UNKNOWN)))).toBe('ENTRY_NOT_FOUND');
  await recordTask(parts(), { wid: WID, pred: [recorded.jti] });
});
