// A ledger store that is written no more once it is known to be damaged: what is damaged must not be signed anew, and a
// look-up that cannot be trusted must not decide what is new. Reads go on; they are proven one by one.

import { EctError, refuse } from '../errors.ts';
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

/** Passes everything on, takes note of LEDGER_CORRUPT, and refuses commits from then on. */
export class GuardedLedgerStore implements LedgerStore {
  readonly #inner: LedgerStore;
  readonly #damage: KnownDamage;

  constructor(inner: LedgerStore, damage: KnownDamage) {
    this.#inner = inner;
    this.#damage = damage;
  }

  async commit(candidates: readonly Candidate[], seal: Seal): Promise<CommitResult> {
    if (this.#damage.isFound()) {
      throw new EctError(refuse('LEDGER_CORRUPT', 'The ledger is damaged: nothing is recorded until it is restored.'));
    }
    return this.#noting(this.#inner.commit(candidates, seal));
  }

  // Of two processes that make a ledger at the same time one is refused, and nothing is damaged.
  initialise(head: Head, identity: string): Promise<void> {
    return this.#inner.initialise(head, identity);
  }

  head = (): Promise<Head | undefined> => this.#noting(this.#inner.head());
  identity = (): Promise<string | undefined> => this.#noting(this.#inner.identity());
  at = (index: number): Promise<LedgerRecord | undefined> => this.#noting(this.#inner.at(index));
  find = (scope: string, name: string): Promise<LedgerRecord | undefined> =>
    this.#noting(this.#inner.find(scope, name));
  lookUp = (scope: string, names: readonly string[], reach: Reach): Promise<readonly (LedgerRecord | undefined)[]> =>
    this.#noting(this.#inner.lookUp(scope, names, reach));
  list = (query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> =>
    this.#noting(this.#inner.list(query, signal));
  nodes = (wanted: Parameters<LedgerStore['nodes']>[0]): Promise<readonly Uint8Array[]> =>
    this.#noting(this.#inner.nodes(wanted));

  close(): Promise<void> {
    return this.#inner.close();
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
