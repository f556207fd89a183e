// A ledger store that rejects writes while damage is known: damaged entries must not be signed again, and an unreliable lookup must not
// decide what is new. Existing entries are returned, because they can be proven. Missing entries are not reported, because that depends
// on an index.

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

/** Where damage is recorded. */
export interface KnownDamage {
  isFound(): boolean;
  found(damage: { readonly index: number | null; readonly fault: string }): void;
}

/** Passes all calls on, records LEDGER_CORRUPT, and then rejects commits and negative results. */
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

  // Of two processes that create a ledger at the same time one is rejected, which is not damage.
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
    // The result of another scope is only valid if the scope itself has none.
    if (records.some((record) => record?.scope !== scope)) this.#rejectAbsence();
    return records;
  }

  async list(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> {
    const { scope, author, fromMs, beforeMs } = query;
    if ([scope, author, fromMs, beforeMs].some((condition) => condition !== undefined)) {
      // An entry that the index misses would be missing from the list. Reading may also find damage.
      this.#rejectAbsence();
      const records = await this.#noting(this.#inner.list(query, signal));
      this.#rejectAbsence();
      return records;
    }
    return this.#noting(this.#listWithoutGap(query, signal));
  }

  /** By the index alone: indexes are consecutive, so a missing entry shows. */
  async #listWithoutGap(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> {
    // Before the entries, because others may be added in between. One more read, only while damage is known.
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
 * The first index missing from a list without filters; undefined if none is. `size` is the size of the ledger before the list was read,
 * if it was read; without it the list may end too early.
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
