// Reads every entry of a ledger, in order, page by page, for audits.

import { EctError, reject } from '../errors.ts';
import type { LedgerRecord, LedgerStore } from './store.ts';

/** The range of a walk. */
export interface WalkOptions {
  /** First index, default 0. */
  readonly fromIndex?: number;
  /** Stop before this index; default: the size of the ledger at the start. */
  readonly size?: number;
  /** Whether `content` and `salt` are needed; default false. */
  readonly withContent?: boolean;
  /** Records in memory at a time, default 500. */
  readonly pageSize?: number;
}

/** Reads the records of a store. Entries that are added meanwhile are not visited. LEDGER_CORRUPT at a gap. */
export async function* walkRecords(store: LedgerStore, options: WalkOptions = {}): AsyncGenerator<LedgerRecord> {
  const { fromIndex = 0, withContent = false, pageSize = 500 } = options;
  const size = options.size ?? (await store.head())?.size ?? 0;
  for (let next = fromIndex; next < size; ) {
    const limit = Math.min(pageSize, size - next);
    const page = await store.list({ startIndex: next, limit, withContent });
    if (page.length === 0) throw gapAt(next);
    for (const record of page) {
      if (record.index !== next) throw gapAt(next);
      next++;
      yield record;
    }
  }
}

function gapAt(index: number): EctError {
  return new EctError(reject('LEDGER_CORRUPT', `The ledger has no entry ${index}.`));
}
