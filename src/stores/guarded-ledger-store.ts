// A ledger store that is written no more once it is known to be damaged: what is damaged must not be signed anew, and a
// look-up that cannot be trusted must not decide what is new. What is found is answered, since it can be proven by itself. That
// something is not there rests on an index, and is answered no more.

import { EctError, reject } from '../errors.ts';
import type {
  Candidate,
  CommitResult,
  Head,
  LedgerRecord,
  LedgerStore,
  Reach,
  RecordQuery,
  Seal,
} from '../ledger/index.ts';

/** Where damage is known. */
export interface KnownDamage {
  isFound(): boolean;
  found(damage: { readonly index: number | null; readonly fault: string }): void;
}

/** Passes everything on, takes note of LEDGER_CORRUPT, and rejects commits and negative answers from then on. */
export class GuardedLedgerStore implements LedgerStore {
  readonly #inner: LedgerStore;
  readonly #damage: KnownDamage;

  constructor(inner: LedgerStore, damage: KnownDamage) {
    this.#inner = inner;
    this.#damage = damage;
  }

  async commit(candidates: readonly Candidate[], seal: Seal): Promise<CommitResult> {
    if (this.#damage.isFound()) {
      throw new EctError(reject('LEDGER_CORRUPT', 'The ledger is damaged: nothing is recorded until it is restored.'));
    }
    return this.#noting(this.#inner.commit(candidates, seal));
  }

  isDamaged(): boolean {
    return this.#damage.isFound();
  }

  // Of two processes that make a ledger at the same time one is rejected, and nothing is damaged.
  initialise(head: Head, identity: string): Promise<void> {
    return this.#inner.initialise(head, identity);
  }

  head = (): Promise<Head | undefined> => this.#noting(this.#inner.head());
  identity = (): Promise<string | undefined> => this.#noting(this.#inner.identity());
  at = (index: number): Promise<LedgerRecord | undefined> => this.#noting(this.#inner.at(index));
  nodes = (wanted: Parameters<LedgerStore['nodes']>[0]): Promise<readonly Uint8Array[]> =>
    this.#noting(this.#inner.nodes(wanted));

  async find(scope: string, name: string): Promise<LedgerRecord | undefined> {
    const record = await this.#noting(this.#inner.find(scope, name));
    if (record === undefined) this.#rejectAbsence();
    return record;
  }

  async lookUp(scope: string, names: readonly string[], reach: Reach): Promise<readonly (LedgerRecord | undefined)[]> {
    const records = await this.#noting(this.#inner.lookUp(scope, names, reach));
    // What is found elsewhere is the answer only where the scope itself has nothing.
    if (records.some((record) => record?.scope !== scope)) this.#rejectAbsence();
    return records;
  }

  async list(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> {
    const { scope, author, fromMs, beforeMs } = query;
    if ([scope, author, fromMs, beforeMs].some((condition) => condition !== undefined)) {
      // An entry that the index does not lead to would be missing from it. Damage may be found while it is read.
      this.#rejectAbsence();
      const records = await this.#noting(this.#inner.list(query, signal));
      this.#rejectAbsence();
      return records;
    }
    return this.#noting(this.#listWithoutGap(query, signal));
  }

  /** By the index alone: what is there has consecutive ones, so an entry that is missing shows. */
  async #listWithoutGap(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> {
    // Before the entries: others may come in meanwhile. It is a read more, for who has reason to doubt.
    const size = this.isDamaged() ? ((await this.#inner.head())?.size ?? 0) : undefined;
    const records = await this.#inner.list(query, signal);
    const missing = missingFrom(records, query, size);
    if (missing !== undefined) {
      const message = `Entry ${missing} is damaged: it is not found by its index.`;
      throw new EctError(reject('LEDGER_CORRUPT', message, { index: String(missing) }));
    }
    return records;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #rejectAbsence(): void {
    if (!this.#damage.isFound()) return;
    const message = 'The ledger is damaged: that it does not hold something is not known until it has been restored.';
    throw new EctError(reject('LEDGER_CORRUPT', message));
  }

  async #noting<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof EctError && error.reason === 'LEDGER_CORRUPT') {
        this.#damage.found({ index: null, fault: error.message });
      }
      throw error;
    }
  }
}

/**
 * The index that a list without conditions lacks; undefined where it has each that it should. `size` is that of the ledger before the
 * list was read, where it was asked; without it the list may end too early.
 */
function missingFrom(
  records: readonly LedgerRecord[],
  { startIndex, endIndex = Number.POSITIVE_INFINITY, limit, newestFirst = false }: RecordQuery,
  size = 0,
): number | undefined {
  const end = Math.min(endIndex, size);
  const first = newestFirst ? Math.max(end - 1, records[0]?.index ?? -1) : startIndex;
  const indexAt = (nth: number) => (newestFirst ? first - nth : first + nth);
  const gap = records.findIndex(({ index }, nth) => index !== indexAt(nth));
  if (gap !== -1) return indexAt(gap);
  const next = indexAt(records.length);
  const isDue = newestFirst ? next >= startIndex : next < end;
  return records.length < limit && isDue ? next : undefined;
}
