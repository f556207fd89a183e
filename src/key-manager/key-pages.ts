// Reads the entries about keys page by page. While damage of the ledger is known no index is trusted, because it may lack a revocation:
// then every entry is read.

import type { Ledger, LedgerRecord } from '../ledger/index.ts';
import { KEY_SCOPE } from './key-entry.ts';

/** Entries of one page. */
const PAGE = 500;
/** The text that marks a leaf about a key. Leaves are canonical JSON, in which quotation marks inside a text are escaped. */
const KEY_LEAF = '"type":"key"';

/** Entries about keys in order, and the index at which to continue. */
export interface KeyEntries {
  readonly records: readonly LedgerRecord[];
  readonly next: number;
  readonly isLast: boolean;
}

/** The entries about keys from an index on. A page may be empty and not the last. */
export async function keyEntriesFrom(ledger: Ledger, startIndex: number, withContent: boolean): Promise<KeyEntries> {
  if (ledger.isDamaged) return amongAll(ledger, startIndex, withContent);
  const records = await ledger.list({ scope: KEY_SCOPE, startIndex, limit: PAGE, withContent });
  const last = records.at(-1);
  return { records, next: last === undefined ? startIndex : last.index + 1, isLast: records.length < PAGE };
}

async function amongAll(ledger: Ledger, startIndex: number, withContent: boolean): Promise<KeyEntries> {
  const all = await ledger.list({ startIndex, limit: PAGE, withContent: false });
  const records: LedgerRecord[] = [];
  for (const record of all.filter(isAboutKey)) {
    records.push((withContent ? await ledger.at(record.index) : undefined) ?? record);
  }
  return { records, next: startIndex + all.length, isLast: all.length < PAGE };
}

function isAboutKey({ scope, leaf }: LedgerRecord): boolean {
  return scope === KEY_SCOPE || Buffer.from(leaf.buffer, leaf.byteOffset, leaf.byteLength).includes(KEY_LEAF);
}
