// The source and the target of a copy.

import type { DocumentStore, Head, LedgerKey, LedgerStore } from '../ledger/index.ts';
import type { ExpiringKeyRows } from '../stores/expiring-keys.ts';

/** A ledger to copy. No process writes to it meanwhile. */
export interface CopySource {
  /** The name in messages: a directory, or `the database`. */
  readonly name: string;
  readonly store: LedgerStore & DocumentStore;
  /** Uses of tokens and request ids; undefined if they are lost. */
  readonly once: ExpiringKeyRows | undefined;
  /** The number of pending recordings. */
  readonly openRecordings: number;
  /** The key of the ledger. The operator has it; the store may not. */
  readonly key: LedgerKey;
  /** Called before the copy can be used. From then on the source must not be continued, because that would create a second history. */
  retire(target: string): Promise<void>;
  close(): Promise<void>;
}

/** The target of a copy. Before `finish` no service can start with it. */
export interface CopyTarget {
  readonly name: string;
  readonly store: LedgerStore & DocumentStore;
  readonly once: ExpiringKeyRows;
  /** Called when the ledger is complete and its head is signed. Makes it usable, durably. */
  finish(head: Head): Promise<void>;
  close(): Promise<void>;
}
