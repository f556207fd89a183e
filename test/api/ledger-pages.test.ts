// Lists of entries, pages and their tokens: whole, in order, and small enough for every client.

import { create, toBinary, toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { readEntryQuery } from '../../src/api/entry-query.ts';
import { ledgerService } from '../../src/api/ledger.ts';
import { writePageToken } from '../../src/api/page-token.ts';
import { appendBatch } from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';
import {
  EntryKind,
  EntryOrder,
  EntrySchema,
  GetWorkflowRequestSchema,
  ListEntriesRequestSchema,
  ListEntriesResponseSchema,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { writtenBytes } from '../../src/transport/response-memory.ts';
import { issueFor, recordTask } from '../authority/support.ts';
import { makeAuthority } from '../support/authority.ts';
import { WID } from '../support/tokens.ts';
import { call, clientOf, indexesOf, kindsOf, type ListFields, lossOf } from './ledger-client.ts';

describe('lists of some kinds', () => {
  /** Tasks at 0, 3, 4 and 7, marks at 1 and 5, losses at 2 and 6. */
  async function mixed() {
    const { context } = await makeAuthority();
    const client = clientOf(context);
    for (let round = 0; round < 2; round++) {
      await recordTask(context, round === 0 ? { wid: WID } : {});
      await client.mark({ kind: 'key', kid: `k${round}`, sinceMs: 0 });
      await context.ledger.append(lossOf(round + 1));
      await recordTask(context);
    }
    return client;
  }
  const { TASK, TAINT, KEY, LOSS } = EntryKind;

  test.each<[string, EntryKind[], readonly number[]]>([
    ['none is named', [], [0, 1, 2, 3, 4, 5, 6, 7]],
    ['tasks', [TASK], [0, 3, 4, 7]],
    ['marks', [TAINT], [1, 5]],
    ['marks and losses', [LOSS, TAINT], [1, 2, 5, 6]],
    ['tasks and losses', [TASK, LOSS], [0, 2, 3, 4, 6, 7]],
    ['every kind', [TASK, TAINT, KEY, LOSS], [0, 1, 2, 3, 4, 5, 6, 7]],
    ['a kind of which there is none', [KEY], []],
  ])('%s, in either order and in pages of any size', async (_, kinds, indexes) => {
    const client = await mixed();
    for (const order of [EntryOrder.OLDEST_FIRST, EntryOrder.NEWEST_FIRST]) {
      for (const pageSize of [1, 2, 3, 100]) {
        const found: number[] = [];
        let pageToken = '';
        do {
          const page = await client.list({ kinds, order, pageSize, pageToken });
          found.push(...indexesOf(page.entries));
          pageToken = page.nextPageToken;
        } while (pageToken !== '');
        expect(found, `${pageSize}`).toEqual(order === EntryOrder.NEWEST_FIRST ? indexes.toReversed() : indexes);
      }
    }
  });

  test('many entries of other kinds in a row do not end a list', async () => {
    const { context } = await makeAuthority();
    const client = clientOf(context);
    await recordTask(context);
    const losses = Array.from({ length: 250 }, (_, at) => context.ledger.append(lossOf(at + 1)));
    await Promise.all(losses);
    await recordTask(context);
    expect(indexesOf((await client.list({ kinds: [TASK], pageSize: 2 })).entries)).toEqual([0, 251]);
    const backwards = { kinds: [TASK], pageSize: 2, order: EntryOrder.NEWEST_FIRST };
    expect(indexesOf((await client.list(backwards)).entries)).toEqual([251, 0]);
  });

  test('a workflow has tasks alone', async () => {
    const client = await mixed();
    expect(kindsOf((await client.list({ wid: WID, kinds: [TASK, TAINT] })).entries)).toEqual(['task']);
    const field = (name: string) => ({ reason: 'REQUEST_INVALID', metadata: { field: name } });
    await expect(client.list({ wid: WID, kinds: [TAINT] })).rejects.toMatchObject(field('kinds'));
    await expect(client.list({ wid: '\u2020taint' })).rejects.toMatchObject(field('wid'));
    await expect(client.list({ kinds: [TASK, 9 as EntryKind] })).rejects.toMatchObject(field('kinds[1]'));
  });
});

test('entries are listed from an index on, and with what they commit to where that is asked for', async () => {
  const { context } = await makeAuthority();
  const client = clientOf(context);
  for (let task = 0; task < 5; task += 1) await recordTask(context, {});
  const bare = (await client.list({})).entries;
  for (const { leaf, salt, body } of bare) {
    expect(leaf.length).toBeGreaterThan(0);
    expect({ salt, token: body.case === 'task' ? body.value.token : undefined }).toEqual({
      salt: new Uint8Array(0),
      token: '',
    });
  }
  const first = await client.list({ fromIndex: 2n, withContent: true, pageSize: 1 });
  const second = await client.list({ fromIndex: 2n, withContent: true, pageToken: first.nextPageToken });
  const listed = [...first.entries, ...second.entries];
  expect(indexesOf(listed)).toEqual([2, 3, 4]);
  for (const { index, body, leaf, salt } of listed) {
    const read = await client.entry(Number(index));
    expect(create(EntrySchema, read.entry).body).toEqual(body);
    expect(read.receipt).toMatchObject({ leaf, proof: { case: 'inclusion', value: { salt } } });
  }
  const newest = await client.list({ fromIndex: 2n, order: EntryOrder.NEWEST_FIRST });
  expect(indexesOf(newest.entries)).toEqual([4, 3, 2]);
  await expect(client.list({ fromIndex: -1n })).rejects.toMatchObject({ reason: 'REQUEST_INVALID' });
});

describe('a page token', () => {
  const BASE = { wid: WID, pageSize: 1 } as const;
  const OTHERS: readonly (readonly [string, ListFields])[] = [
    ['another workflow', { wid: '00000000-0000-4000-8000-000000000000' }],
    ['no workflow', { wid: '' }],
    ['an issuer', { iss: 'urn:ect:test' }],
    ['kinds', { kinds: [EntryKind.TASK] }],
    ['a time from which on', { recordedFrom: { seconds: 1n } }],
    ['a time before which', { recordedBefore: { seconds: 9_999_999_999n } }],
    ['an index from which on', { fromIndex: 1n }],
    ['the other order', { order: EntryOrder.NEWEST_FIRST }],
    ['content', { withContent: true }],
  ];
  async function started() {
    const { context } = await makeAuthority();
    const client = clientOf(context);
    for (let at = 0; at < 3; at++) await recordTask(context, { wid: WID });
    return { client, pageToken: (await client.list(BASE)).nextPageToken };
  }

  test('H45 that was made up for its list is a place in it, and no more', async () => {
    const { context } = await makeAuthority();
    const client = clientOf(context);
    await recordTask(context);
    for (const [order, indexes] of [
      [EntryOrder.OLDEST_FIRST, []],
      [EntryOrder.NEWEST_FIRST, [0]],
    ] as const) {
      const { list } = readEntryQuery(create(ListEntriesRequestSchema, { order }));
      const { entries } = await client.list({ order, pageToken: writePageToken(list, 2 ** 47) });
      expect(indexesOf(entries)).toEqual(indexes);
    }
  });

  test.each(OTHERS)('is of no use with %s, and the rejection says so', async (_, other) => {
    const { client, pageToken } = await started();
    await expect(client.list({ ...BASE, ...other, pageToken } as ListFields)).rejects.toMatchObject({
      reason: 'REQUEST_INVALID',
      metadata: { field: 'page_token' },
      message: expect.stringContaining('with other filters'),
    });
  });

  test('goes on where its page ended, also with pages of another size', async () => {
    const { client, pageToken } = await started();
    expect(indexesOf((await client.list({ ...BASE, pageSize: 100, pageToken })).entries)).toEqual([1, 2]);
    const order = EntryOrder.OLDEST_FIRST;
    expect(indexesOf((await client.list({ ...BASE, order, pageToken })).entries)).toEqual([1]);
  });

  test.each(['x', '-1', '2', 'A'.repeat(18), 'A'.repeat(20), `${'A'.repeat(18)}B`, 'A'.repeat(4_000)])(
    'H45 that no page answered is rejected: %s',
    async (pageToken) => {
      const { client } = await started();
      await expect(client.list({ ...BASE, pageToken })).rejects.toMatchObject({ metadata: { field: 'page_token' } });
    },
  );
});

test('a page size above the largest counts as the largest, and one below zero is rejected', async () => {
  const { context } = await makeAuthority();
  const client = clientOf(context);
  await recordTask(context);
  expect((await client.list({ pageSize: 2_147_483_647 })).entries).toHaveLength(1);
  const { answerBytes } = ledgerService(context);
  const roomFor = (pageSize: number) =>
    answerBytes?.listEntries?.(create(ListEntriesRequestSchema, { pageSize }), call);
  expect(roomFor(2_147_483_647)).toBe(roomFor(1_000));
  await expect(client.list({ pageSize: -1 })).rejects.toMatchObject({ metadata: { field: 'page_size' } });
});

test('R10: pages with tokens stay below what clients read', async () => {
  const { context } = await makeAuthority();
  const client = clientOf(context);
  const ext = { 'com.example.text': 'x'.repeat(3_900) };
  for (let task = 0; task < 400; task += 1)
    await recordTask(context, { ext: { value: ext, text: JSON.stringify(ext) } });
  const answer = await client.list({ withContent: true, pageSize: 1_000 });
  expect(answer.entries.length).toBeGreaterThan(100);
  expect(answer.entries.length).toBeLessThan(400);
  expect(toBinary(ListEntriesResponseSchema, answer).length).toBeLessThan(2 * 1024 * 1024 + 20_000);
});

test.each([
  ['', 'REQUEST_INVALID'],
  [WID, 'WORKFLOW_NOT_FOUND'],
  ['\u2020taint', 'WORKFLOW_NOT_FOUND'],
])('the workflow %j is rejected with %s', async (wid, reason) => {
  const { context } = await makeAuthority();
  await clientOf(context).mark({ kind: 'key', kid: 'k', sinceMs: 0 });
  await expect(clientOf(context).workflow(wid)).rejects.toMatchObject({ reason });
});

test('R10: pages of a workflow with a hundred predecessors a task stay below what clients read', async () => {
  const { context } = await makeAuthority();
  const client = clientOf(context);
  const roots = await Promise.all(Array.from({ length: 100 }, () => recordTask(context, { wid: WID })));
  const tokens = await Promise.all(
    Array.from({ length: 500 }, async () => (await issueFor(context, { wid: WID, pred: roots })).token),
  );
  const results = await appendBatch(context, call.caller, tokens, call.signal);
  expect(results.filter((result) => result instanceof EctError)).toEqual([]);
  let [pageToken, pages, tasks] = ['', 0, 0];
  do {
    const page = await client.list({ wid: WID, pageSize: 1_000, pageToken });
    expect(toBinary(ListEntriesResponseSchema, page).length).toBeLessThan(2 * 1024 * 1024 + 20_000);
    pageToken = page.nextPageToken;
    tasks += page.entries.length;
    pages++;
  } while (pageToken !== '');
  expect({ tasks, pages }).toEqual({ tasks: 600, pages: 3 });
  expect(await client.workflow(WID)).toMatchObject({ size: 600, depth: 2 });
});

test('H24 a page is within the room that is reserved for it, and the next one goes on where it was cut', async () => {
  const { context } = await makeAuthority();
  const client = clientOf(context);
  const aud = Array.from({ length: 5 }, (_, at) => `urn:${at}:${'x'.repeat(1_900)}`);
  for (let at = 0; at < 60; at++) await issueFor(context, { aud, level: 'L3', wid: WID });
  const { answerBytes } = ledgerService(context);
  for (const pageSize of [0, 1, 20, 60]) {
    const fields = { pageSize, withContent: true };
    const bound = (await answerBytes?.listEntries?.(create(ListEntriesRequestSchema, fields), call)) ?? 0;
    const indexes: number[] = [];
    const sizes: number[] = [];
    let pageToken = '';
    do {
      const page = await client.list({ ...fields, pageToken });
      expect(toBinary(ListEntriesResponseSchema, page).length).toBeLessThanOrEqual(bound);
      expect(JSON.stringify(toJson(ListEntriesResponseSchema, page)).length).toBeLessThanOrEqual(2 * bound);
      indexes.push(...indexesOf(page.entries));
      sizes.push(page.entries.length);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(indexes).toEqual(Array.from({ length: 60 }, (_, at) => at));
    // A page of few entries is whole.
    if (pageSize === 1) expect(new Set(sizes)).toEqual(new Set([1]));
  }
});

test('H24 three workflows at once have room on one connection, also in JSON', async () => {
  const { answerBytes } = ledgerService((await makeAuthority()).context);
  const request = create(GetWorkflowRequestSchema, { wid: WID });
  const bound = (await answerBytes?.getWorkflow?.(request, call)) ?? 0;
  const perConnection = 16 * 1024 * 1024;
  expect(3 * writtenBytes(bound, { codec: 'json' })).toBeLessThan(perConnection);
});
