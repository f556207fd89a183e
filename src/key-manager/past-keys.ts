// Keys that are no longer in the key ring, read from the ledger. The name of an entry contains the key and its new state, so the
// entries of one key are found without reading those of others. The store is not trusted: each entry is proven to be in the
// signed tree before it counts.

import type { Ledger, LedgerRecord } from '../ledger/index.ts';
import { KEY_SCOPE, type KeyEntry, type KeyState, keyEntryName, readKeyEntry } from './key-entry.ts';

const STATES: readonly KeyState[] = ['announced', 'active', 'retired', 'revoked'];
/** Entries that are proven with one read of the head. */
const AT_ONCE = 500;

/**
 * The entries about one key before an index, in order and proven, except for the announcement of a root key, whose name has the number.
 * LEDGER_CORRUPT if the store contains what the tree does not.
 */
export async function entriesOf(ledger: Ledger, kid: string, beforeIndex: number): Promise<readonly KeyEntry[]> {
  return proven(ledger, await recordsOf(ledger, kid, beforeIndex));
}

/** The entries about every root key before an index, in order and proven. */
export async function rootEntries(ledger: Ledger, beforeIndex: number): Promise<readonly KeyEntry[]> {
  const records: LedgerRecord[] = [];
  for (let generation = 0; ; generation++) {
    const record = await ledger.find(KEY_SCOPE, `root/${generation}`);
    if (record === undefined || record.index >= beforeIndex) break;
    records.push(record, ...(await recordsOf(ledger, readKeyEntry(record).kid, beforeIndex)));
  }
  return proven(ledger, records);
}

/** A root key that may still sign, and its locator. */
export interface RootKeyInUse {
  readonly kid: string;
  /** Undefined if the content of its announcement was erased. */
  readonly locator: string | undefined;
}

/** The root keys of a ledger that are neither retired nor revoked, proven. */
export async function rootKeysInUse(ledger: Ledger): Promise<readonly RootKeyInUse[]> {
  const entries = await rootEntries(ledger, Number.POSITIVE_INFINITY);
  const isOver = (kid: string) =>
    entries.some((entry) => entry.kid === kid && (entry.state === 'retired' || entry.state === 'revoked'));
  return entries
    .filter(({ state, kid }) => state === 'announced' && !isOver(kid))
    .map(({ kid, locator }) => ({ kid, locator }));
}

/** Returns entries of the store, in the order of the ledger, after they were proven. */
export async function proven(ledger: Ledger, records: readonly LedgerRecord[]): Promise<readonly KeyEntry[]> {
  const inOrder = records.toSorted((one, other) => one.index - other.index);
  for (let from = 0; from < inOrder.length; from += AT_ONCE)
    await ledger.receiptsFor(inOrder.slice(from, from + AT_ONCE));
  return inOrder.map(readKeyEntry);
}

async function recordsOf(ledger: Ledger, kid: string, beforeIndex: number): Promise<readonly LedgerRecord[]> {
  const names = STATES.map((state) => keyEntryName({ kid: kid as KeyEntry['kid'], state }));
  const found = await Promise.all(names.map((name) => ledger.find(KEY_SCOPE, name)));
  return found.filter((record) => record !== undefined).filter(({ index }) => index < beforeIndex);
}
