// ect.v1.LedgerService over a ledger in memory: marks, kinds of entries, and pages that every client can read.

import { create, toBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { type AuthorityParts, appendBatch, nameOf } from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';
import {
  EntryKind,
  GetEntryRequestSchema,
  GetWorkflowRequestSchema,
  GetWorkflowResponseSchema,
  ListEntriesRequestSchema,
  ListEntriesResponseSchema,
  MarkCompromisedRequestSchema,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { DagStatus, Level, TaintSource } from '../../src/gen/ect/v1/token_pb.ts';
import { writtenBytes } from '../../src/rpc/answer-room.ts';
import type { Call } from '../../src/rpc/call.ts';
import { ledgerService } from '../../src/rpc/ledger.ts';
import { issueFor, recordTask } from '../authority/support.ts';
import { makeAuthority } from '../support/authority.ts';
import { JTI, WID } from '../support/tokens.ts';

const call: Call = {
  method: 'test',
  caller: { kind: 'spiffe', id: 'spiffe://example.com/admin' },
  signal: new AbortController().signal,
  note() {},
};

/** The service as a client of it, without a wire. */
function clientOf(parts: AuthorityParts) {
  const { getEntry, getWorkflow, listEntries, markCompromised } = ledgerService(parts).procedures;
  return {
    getEntry: async (index: number) => getEntry(create(GetEntryRequestSchema, { index: BigInt(index) }), call),
    workflow: async (fields: { wid: string; pageSize?: number; pageToken?: string }) =>
      create(GetWorkflowResponseSchema, await getWorkflow(create(GetWorkflowRequestSchema, fields), call)),
    list: async (fields: Parameters<typeof create<typeof ListEntriesRequestSchema>>[1]) =>
      listEntries(create(ListEntriesRequestSchema, fields), call),
    mark: async (kid: string, note = '') =>
      markCompromised(create(MarkCompromisedRequestSchema, { subject: { case: 'kid', value: kid }, note }), call),
    markTask: async (jti: string, wid = '') =>
      markCompromised(
        create(MarkCompromisedRequestSchema, { subject: { case: 'task', value: { jti, wid } }, note: 'n' }),
        call,
      ),
  };
}

test('only MarkCompromised is for administrators', async () => {
  const { parts } = await makeAuthority();
  expect(ledgerService(parts)).toMatchObject({ access: 'callers', administered: ['markCompromised'] });
});

test('a mark is shown as what it is: its kind, its subject, who made it and what was stated', async () => {
  const { parts } = await makeAuthority();
  const client = clientOf(parts);
  await recordTask(parts, { jti: JTI });
  const { entry, duplicate } = await client.markTask(JTI);
  const by = call.caller.kind === 'spiffe' ? call.caller.id : '';
  expect(duplicate).toBe(false);
  expect(entry).toMatchObject({ index: 1n, kind: EntryKind.TAINT, jti: JTI, wid: '', kid: '', iss: by });
  const { statement = '' } = entry ?? {};
  expect(JSON.parse(statement)).toEqual({ subject: { kind: 'task', jti: JTI, wid: '' }, note: 'n', by });
  const found = await client.getEntry(1);
  expect(found.entry).toMatchObject({ kind: EntryKind.TAINT, statement });
  expect(found.entry).not.toHaveProperty('token');
  expect((await client.getEntry(0)).entry).toMatchObject({ kind: EntryKind.TASK, jti: JTI });
  const { entries } = await client.list({});
  expect(entries?.map(({ kind }) => kind)).toEqual([EntryKind.TASK, EntryKind.TAINT]);
  expect(entries?.[1]).not.toHaveProperty('statement');
});

test('marks can be listed alone, and not within a workflow', async () => {
  const { parts } = await makeAuthority();
  const client = clientOf(parts);
  await recordTask(parts);
  await client.mark('k1');
  await client.mark('k2');
  expect((await client.list({ taints: true })).entries?.map(({ kid }) => kid)).toEqual(['k1', 'k2']);
  await expect(client.list({ taints: true, wid: WID })).rejects.toMatchObject({ reason: 'REQUEST_INVALID' });
});

test.each([
  ['', 'kid'],
  ['k'.repeat(257), 'kid'],
  ['k\u0000', 'kid'],
])('the kid %j cannot be marked', async (kid, field) => {
  const { parts } = await makeAuthority();
  await expect(clientOf(parts).mark(kid)).rejects.toMatchObject({ reason: 'REQUEST_INVALID', facts: { field } });
});

test('entries are listed from an index on, and with what they commit to where that is asked for', async () => {
  const { parts } = await makeAuthority();
  const client = clientOf(parts);
  for (let task = 0; task < 5; task += 1) await recordTask(parts, {});
  const { entries = [] } = await client.list({});
  const from = entries[2]?.index ?? 0n;
  expect(entries.every(({ token, salt }) => token === undefined && salt === undefined)).toBe(true);
  const first = await client.list({ fromIndex: from, withContent: true, pageSize: 1 });
  const second = await client.list({ fromIndex: from, withContent: true, pageToken: first.nextPageToken ?? '' });
  const listed = [...(first.entries ?? []), ...(second.entries ?? [])];
  expect(listed.map(({ index }) => index)).toEqual(entries.slice(2).map(({ index }) => index));
  for (const entry of listed) expect((await client.getEntry(Number(entry.index))).entry).toEqual(entry);
  await expect(client.list({ fromIndex: -1n })).rejects.toMatchObject({ reason: 'REQUEST_INVALID' });
});

test('R10: pages with tokens stay below what clients read', async () => {
  const { parts } = await makeAuthority();
  const client = clientOf(parts);
  const ext = { 'com.example.text': 'x'.repeat(3_900) };
  for (let task = 0; task < 400; task += 1) await recordTask(parts, { ext: { value: ext, text: JSON.stringify(ext) } });
  const answer = create(ListEntriesResponseSchema, await client.list({ withContent: true, pageSize: 1_000 }));
  expect(answer.entries.length).toBeGreaterThan(100);
  expect(answer.entries.length).toBeLessThan(400);
  expect(toBinary(ListEntriesResponseSchema, answer).length).toBeLessThan(2 * 1024 * 1024 + 20_000);
});

test('a note has at most 256 characters, none of them a control character', async () => {
  const { parts } = await makeAuthority();
  const client = clientOf(parts);
  for (const note of ['x'.repeat(257), 'a\nb', '\uD800']) {
    await expect(client.mark('k', note)).rejects.toMatchObject({ facts: { field: 'note' } });
  }
  expect(await client.mark('k', '\u{1F600}'.repeat(256))).toMatchObject({ duplicate: false });
});

test('a task is marked by ids that the service accepts in tokens', async () => {
  const { parts } = await makeAuthority();
  await expect(clientOf(parts).markTask('T1')).rejects.toMatchObject({ facts: { field: 'task.jti' } });
  await expect(clientOf(parts).markTask(JTI, 'w')).rejects.toMatchObject({ facts: { field: 'task.wid' } });
  const token = { ...parts.policy.token, ids: 'text' as const };
  const lenient = clientOf({ ...parts, policy: { ...parts.policy, token } });
  await expect(lenient.markTask('ü')).rejects.toMatchObject({ facts: { field: 'task.jti' } });
  expect((await lenient.markTask('T1', 'w')).entry).toMatchObject({ jti: 'T1', wid: 'w' });
});

test('a subject is required', async () => {
  const { parts } = await makeAuthority();
  const request = create(MarkCompromisedRequestSchema, { note: 'n' });
  const answer = async () => ledgerService(parts).procedures.markCompromised(request, call);
  await expect(answer()).rejects.toMatchObject({ facts: { field: 'subject' } });
});

test('a workflow tells its level and its taints with the first page, and its tasks page by page', async () => {
  const { parts } = await makeAuthority();
  const client = clientOf(parts);
  const jtis: string[] = [];
  for (let at = 0; at < 5; at++) jtis.push(await recordTask(parts, { wid: WID, pred: jtis.slice(-1) }));
  await client.markTask(jtis[3]!, WID);
  const first = await client.workflow({ wid: WID, pageSize: 2 });
  expect(first).toMatchObject({ status: DagStatus.COMPLETE, pathLevel: Level.L3, omitted: 0, nextPageToken: '2' });
  expect(first.tainted).toMatchObject([
    { jti: jtis[3], wid: WID, source: TaintSource.TASK, entryIndex: 5n },
    { jti: jtis[4], source: TaintSource.ANCESTOR, ancestor: jtis[3] },
  ]);
  const second = await client.workflow({ wid: WID, pageSize: 2, pageToken: first.nextPageToken });
  expect(second).toMatchObject({ status: DagStatus.UNSPECIFIED, tainted: [] });
  const third = await client.workflow({ wid: WID, pageSize: 2, pageToken: second.nextPageToken });
  expect(third.nextPageToken).toBe('');
  const listed = [first, second, third].flatMap(({ entries }) => entries.map(({ jti }) => jti));
  expect(listed).toEqual(jtis);
});

test('R10: pages of a workflow with a hundred predecessors a task stay below what clients read', async () => {
  const { parts } = await makeAuthority();
  const client = clientOf(parts);
  const roots = await Promise.all(Array.from({ length: 100 }, () => recordTask(parts, { wid: WID })));
  const tokens = await Promise.all(
    Array.from({ length: 500 }, async () => (await issueFor(parts, { wid: WID, pred: roots })).token),
  );
  const results = await appendBatch(parts, call.caller, tokens, call.signal);
  expect(results.filter((result) => result instanceof EctError)).toEqual([]);
  let [pageToken, pages, tasks] = ['', 0, 0];
  do {
    const page = await client.workflow({ wid: WID, pageToken });
    expect(toBinary(GetWorkflowResponseSchema, page).length).toBeLessThan(3 * 1024 * 1024);
    pageToken = page.nextPageToken;
    tasks += page.entries.length;
    pages++;
  } while (pageToken !== '');
  expect({ tasks, pages }).toEqual({ tasks: 600, pages: 3 });
  const listed = await client.list({ pageSize: 1000 });
  expect(listed.entries?.length).toBeLessThan(600);
  expect(listed.nextPageToken).not.toBe('');
});

test.each([{ pageSize: -1 }, { pageSize: 1001 }, { pageToken: 'x' }, { wid: '' }])(
  'a request for a workflow with %o is refused',
  async (fields) => {
    const { parts } = await makeAuthority();
    await expect(clientOf(parts).workflow({ wid: WID, ...fields })).rejects.toMatchObject({
      reason: 'REQUEST_INVALID',
    });
  },
);

test('a mark is found by a name that no id can be mistaken for', () => {
  const names = [nameOf({ kind: 'key', kid: JTI, sinceMs: 0 }), nameOf({ kind: 'task', jti: JTI, wid: '' })];
  expect(new Set([...names, JTI]).size).toBe(3);
});

test('H24 a page is within the room that is reserved for it, and the next one goes on where it was cut', async () => {
  const { parts } = await makeAuthority();
  const client = clientOf(parts);
  const aud = Array.from({ length: 5 }, (_, at) => `urn:${at}:${'x'.repeat(1_900)}`);
  for (let at = 0; at < 60; at++) await issueFor(parts, { aud, level: 'L3', wid: WID });
  const { answerBytes } = ledgerService(parts);
  for (const pageSize of [0, 1, 20, 60]) {
    const fields = { pageSize, withContent: true };
    const bound = (await answerBytes?.listEntries?.(create(ListEntriesRequestSchema, fields), call)) ?? 0;
    const indexes: number[] = [];
    const sizes: number[] = [];
    let pageToken = '';
    do {
      const page = create(ListEntriesResponseSchema, await client.list({ ...fields, pageToken }));
      expect(toBinary(ListEntriesResponseSchema, page).length).toBeLessThanOrEqual(bound);
      expect(JSON.stringify(toJson(ListEntriesResponseSchema, page)).length).toBeLessThanOrEqual(2 * bound);
      indexes.push(...page.entries.map(({ index }) => Number(index)));
      sizes.push(page.entries.length);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(indexes).toEqual(Array.from({ length: 60 }, (_, at) => at));
    // A page of few entries is whole.
    if (pageSize === 1) expect(new Set(sizes)).toEqual(new Set([1]));
  }
});

test('H24 three pages of 100 entries of a workflow at once have room on one connection, also in JSON', async () => {
  const { answerBytes } = ledgerService((await makeAuthority()).parts);
  const request = create(GetWorkflowRequestSchema, { wid: WID, pageSize: 100 });
  const bound = (await answerBytes?.getWorkflow?.(request, call)) ?? 0;
  const perConnection = 16 * 1024 * 1024;
  expect(3 * writtenBytes(bound, { codec: 'json' })).toBeLessThan(perConnection);
});
