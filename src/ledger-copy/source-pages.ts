// Reads the entries of the source in pages. Each entry is checked against its leaf and the tree before it is copied.

import { recordFault } from '../authority/index.ts';
import { contentFault, type Head, type LedgerRecord, leafHash } from '../ledger/index.ts';
import type { CopySource } from './ends.ts';
import { damagedSource, isCorrupt } from './rejections.ts';

/** The number of entries in memory. A token has at most 16 KiB. */
export const PAGE_ENTRIES = 200;

/** A tree, and the time of its newest entry. */
export type TreeRead = Pick<Head, 'size' | 'frontier' | 'recordedAtMs'>;

/**
 * Yields the pages of the entries after `tree` to before `to`. Throws at the first entry that contradicts itself, the tree or earlier
 * entries.
 */
export async function* readPages(
  source: CopySource,
  from: TreeRead,
  to: number,
): AsyncGenerator<readonly LedgerRecord[]> {
  let lastMs = from.recordedAtMs;
  for (let next = from.size; next < to; ) {
    const limit = Math.min(PAGE_ENTRIES, to - next);
    const page = await readPage(source, next, limit);
    const hashes = await readLeafHashes(source, next, limit);
    const names = new Set<string>();
    for (const [place, record] of page.entries()) {
      const fault =
        record.recordedAtMs < lastMs ? 'it is recorded earlier than the entry before' : faultOf(record, hashes[place]);
      if (fault !== undefined) throw damagedSource(source.name, record.index, fault);
      names.add(JSON.stringify([record.scope, record.name]));
      if (names.size <= place) throw damagedSource(source.name, record.index, NAME_TAKEN);
      lastMs = record.recordedAtMs;
    }
    yield page;
    next += page.length;
  }
}

export const NAME_TAKEN = 'its scope and name are taken by an earlier entry';

function faultOf(record: LedgerRecord, stored: Uint8Array | undefined): string | undefined {
  if (stored === undefined || Buffer.compare(leafHash(record.leaf), stored) !== 0) {
    return 'its leaf is not the one that the tree was built from';
  }
  return recordFault(record) ?? contentFault(record);
}

/** Returns exactly the requested entries. */
async function readPage({ store, name }: CopySource, from: number, limit: number): Promise<readonly LedgerRecord[]> {
  const page = await namingDamage(name, from, limit, (start, count) =>
    store.list({ startIndex: start, limit: count, withContent: true }),
  );
  for (let place = 0; place < limit; place++) {
    if (page[place]?.index !== from + place) throw damagedSource(name, from + place, 'it is missing');
  }
  return page;
}

function readLeafHashes({ store, name }: CopySource, from: number, limit: number): Promise<readonly Uint8Array[]> {
  return namingDamage(name, from, limit, (start, count) =>
    store.nodes(Array.from({ length: count }, (_, place) => ({ level: 0, index: start + place }))),
  );
}

/** Reads all at once. If that finds damage, reads one at a time to determine which entry is damaged. */
async function namingDamage<T>(
  name: string,
  from: number,
  limit: number,
  read: (start: number, count: number) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  try {
    return await read(from, limit);
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    for (let index = from; index < from + limit; index++) {
      await read(index, 1).catch((cause: unknown) => {
        throw isCorrupt(cause) ? damagedSource(name, index, cause.message.replace(/\.$/, '')) : cause;
      });
    }
    throw error;
  }
}
