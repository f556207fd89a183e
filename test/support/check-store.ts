// Reads a whole ledger store, and compares it with a tree that is computed here, level by level, from the leaves alone.

import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { LedgerRecord, LedgerStore } from '../../src/ledger/store.ts';

/** Checks that records, nodes and head of a store are consistent. Returns the records with their contents. */
export async function checkStore(store: LedgerStore): Promise<readonly LedgerRecord[]> {
  const head = await store.head();
  const records = await store.list({ startIndex: 0, limit: Number.MAX_SAFE_INTEGER, withContent: true });
  const size = head?.size ?? 0;
  expect(records.map(({ index }) => index)).toEqual(Array.from({ length: size }, (_, index) => index));
  expect(new Set(records.map(({ scope, name }) => JSON.stringify([scope, name]))).size).toBe(size);

  const levels = naiveLevels(records.map(({ leaf }) => leaf));
  const places = levels.flatMap((hashes, level) => hashes.map((_, index) => ({ level, index })));
  expect(hex(await store.nodes(places))).toEqual(levels.flat());
  // On every level, the last node that is a left child belongs to no larger complete subtree: it is part of the frontier.
  const frontier = levels.flatMap((hashes) => (hashes.length % 2 === 1 ? [hashes.at(-1)!] : [])).reverse();
  expect(hex(head?.frontier ?? [])).toEqual(frontier);
  return records;
}

/** Returns the root of every complete subtree, by level, in hexadecimal. */
function naiveLevels(leaves: readonly Uint8Array[]): string[][] {
  const levels: string[][] = [];
  let hashes = leaves.map((leaf) => sha256(Buffer.concat([Buffer.of(0), leaf])));
  while (hashes.length > 0) {
    levels.push(hashes);
    const below = hashes;
    hashes = Array.from({ length: Math.floor(below.length / 2) }, (_, index) =>
      sha256(Buffer.concat([Buffer.of(1), Buffer.from(below[2 * index]! + below[2 * index + 1]!, 'hex')])),
    );
  }
  return levels;
}

function sha256(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex');
}

function hex(hashes: readonly Uint8Array[]): string[] {
  return hashes.map((hash) => Buffer.from(hash).toString('hex'));
}
