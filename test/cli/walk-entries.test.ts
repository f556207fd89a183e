// A list of entries, page by page, as a caller walks through it who may read few of them.

import { create } from '@bufbuild/protobuf';
import { createClient, createRouterTransport } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { walkEntries } from '../../src/cli/walk-entries.ts';
import { type Entry, EntryOrder, EntrySchema, LedgerService } from '../../src/gen/ect/v1/ledger_pb.ts';

/** A service with these pages, each with the indexes of its entries. The token of a page is its number. */
function serviceOf(pages: readonly (readonly number[])[]) {
  let asked = 0;
  const transport = createRouterTransport(({ service }) => {
    service(LedgerService, {
      listEntries: ({ pageToken }) => {
        asked++;
        const number = Number(pageToken);
        const entries = pages[number]!.map((index) => create(EntrySchema, { index: BigInt(index) }));
        return { entries, nextPageToken: number + 1 < pages.length ? String(number + 1) : '' };
      },
    });
  });
  return { ledger: createClient(LedgerService, transport), asked: () => asked };
}

async function indexesOf(walk: AsyncIterable<Entry>): Promise<number[]> {
  const indexes: number[] = [];
  for await (const { index } of walk) indexes.push(Number(index));
  return indexes;
}

test.each([
  ['at the beginning', [[], [], [7, 9], [12]], [7, 9, 12]],
  ['in the middle', [[7], [], [], [], [9]], [7, 9]],
  ['at the end', [[7], [], []], [7]],
  ['everywhere', [[], [], []], []],
])('A10: an empty page with a token is not the end: %s', async (_, pages, expected) => {
  const { ledger, asked } = serviceOf(pages);
  expect(await indexesOf(walkEntries(ledger, {}))).toEqual(expected);
  expect(asked()).toBe(pages.length);
});

test('A10: the same with the newest first, and no page is asked for beyond the limit', async () => {
  const { ledger, asked } = serviceOf([[], [9], [], [7], [3]]);
  expect(await indexesOf(walkEntries(ledger, { order: EntryOrder.NEWEST_FIRST }, 2))).toEqual([9, 7]);
  expect(asked()).toBe(4);
});

test('H45: pages whose indexes do not rise end the walk', async () => {
  const { ledger } = serviceOf([[1, 2], [2, 1], [3]]);
  expect(await indexesOf(walkEntries(ledger, {}))).toEqual([1, 2]);
});
