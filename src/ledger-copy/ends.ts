// The two ends of a copy: where a ledger comes from, and where it goes to.

import type { DocumentStore, Head, LedgerKey, LedgerStore } from '../ledger/index.ts';
import type { ExpiringKeyRows } from '../stores/expiring-keys.ts';

/** A ledger that is copied. No process writes to it meanwhile. */
export interface CopySource {
  /** For messages: a directory, or `the database`. */
  readonly name: string;
  readonly store: LedgerStore & DocumentStore;
  /** Uses of tokens and request ids; undefined where they are lost. */
  readonly once: ExpiringKeyRows | undefined;
  /** Tokens that have left and whose entries are still to come. */
  readonly openRecordings: number;
  /** The key of the ledger, which the operator has and the store may not. */
  readonly key: LedgerKey;
  /** Called before the copy can be used: from then on the source must not be continued, or there were two histories. */
  retire(target: string): Promise<void>;
  close(): Promise<void>;
}

/** Where the copy is made. What is there before `finish` starts no service. */
export interface CopyTarget {
  readonly name: string;
  readonly store: LedgerStore & DocumentStore;
  readonly once: ExpiringKeyRows;
  /** The ledger is whole, and its head is signed: puts it in its place, durably. */
  finish(head: Head): Promise<void>;
  close(): Promise<void>;
}
