// Port: the storage of a ledger. The ledger knows no tokens: an entry is a unique name in a scope, and bytes.

/** The position and content of an entry. */
export interface EntryRef {
  readonly scope: string;
  readonly name: string;
  readonly digest: Uint8Array;
}

/** The input of an entry. */
export interface Candidate {
  /** Scope of `name`; empty for the global scope. `scope` and `name` together are unique in the ledger. */
  readonly scope: string;
  readonly name: string;
  /** The author of the content; entries can be listed by it. */
  readonly author: string;
  /** 32 bytes that identify the content: equal digest, same content. */
  readonly digest: Uint8Array;
  /** The content. It is stored beside the tree; the leaf only commits to it. */
  readonly content: Uint8Array;
  /**
   * The provenance of the entry, if there is one: 1 to MAX_PROVENANCE_BYTES. It is stored beside the tree; the salt, and so the leaf,
   * commits to it.
   */
  readonly provenance?: Uint8Array | undefined;
  /**
   * Entries that this one requires: it is recorded only if each of them exists, with exactly this content. They must be appended before.
   */
  readonly after?: readonly EntryRef[];
  /** Writes the leaf. Pure; called inside the commit, when the time and the commitment are known. */
  leaf(seal: { readonly recordedAtMs: number; readonly commitment: string }): Uint8Array;
}

/** A stored entry. `content`, `salt` and `provenance` may have been erased, together; the leaf never changes. */
export interface LedgerRecord {
  /** From 0, without gaps. */
  readonly index: number;
  readonly scope: string;
  readonly name: string;
  readonly author: string;
  readonly digest: Uint8Array;
  /** Milliseconds since the epoch. Never less than that of the previous entry. */
  readonly recordedAtMs: number;
  readonly leaf: Uint8Array;
  readonly salt: Uint8Array | null;
  readonly content: Uint8Array | null;
  /** 32 random bytes, then the provenance; its SHA-256 is the salt. Null if none was recorded. */
  readonly provenance: Uint8Array | null;
}

/** The root hash of a complete subtree: node number `index` from the left at `level` (0 = leaf hashes). */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}

/** The state of the tree after a commit. */
export interface Head {
  readonly size: number;
  /** Hashes of the perfect subtrees that make up the tree, largest (leftmost) first; empty for size 0. */
  readonly frontier: readonly Uint8Array[];
  /** Time of the newest entry, milliseconds; 0 for size 0. */
  readonly recordedAtMs: number;
  /** The signed note over size and root. */
  readonly checkpoint: string;
}

/** The additions of one commit: records and nodes, and the new head. */
export interface SealedBatch {
  readonly records: readonly LedgerRecord[];
  /** For each record in order its leaf hash, then the subtrees that the leaf completes, from below. */
  readonly nodes: readonly TreeNode[];
  readonly head: Head;
}

/** Extends a head by candidates. Pure and synchronous: it runs while the store holds the lock of the sequencer. */
export type Seal = (head: Head, fresh: readonly Candidate[]) => SealedBatch;

/** Which entries to list; all given conditions must be met. */
export interface RecordQuery {
  readonly scope?: string;
  readonly author?: string;
  /** Inclusive, milliseconds. */
  readonly fromMs?: number;
  /** Exclusive, milliseconds. */
  readonly beforeMs?: number;
  /** The first index that may be listed. */
  readonly startIndex: number;
  /** The first index that may not be listed; undefined: no limit. */
  readonly endIndex?: number;
  /** Whether the newest come first. Otherwise entries are in the order of the index. */
  readonly newestFirst?: boolean;
  /** The maximum number, from the first side. */
  readonly limit: number;
  /** Whether `content`, `salt` and `provenance` are needed; otherwise they may be null. */
  readonly withContent: boolean;
}

/** Where a name is looked up: in one scope only, or in the nearest scope. */
export type Reach = 'scope' | 'nearest';

/** The maximum number of names in one lookup, so that a call blocks the event loop for a few milliseconds at most. */
export const MAX_LOOKUP_NAMES = 100;

/** The result of one candidate. */
export interface Placement {
  /** Whether this commit added it. If not, `record` is the existing one under its scope and name. */
  readonly added: boolean;
  readonly record: LedgerRecord;
}

/** The result of a commit: one placement for each candidate, in order, and the new head. */
export interface CommitResult {
  readonly placements: readonly Placement[];
  /** The sealed batch; undefined if all candidates existed and nothing was written. */
  readonly batch: SealedBatch | undefined;
  readonly head: Head;
}

/**
 * The storage of a ledger.
 *
 * Atomicity: `commit` is all or nothing, and `scope` with `name` is unique across all processes that share the store; two sequencers can
 * never extend the same head. Durability: after `commit` has returned, its batch survives a crash of the process and of the machine
 * (except in the memory adapter). Order: reads see every completed commit.
 *
 * Retries: none here; a caller may repeat a failed commit, because a recorded name is found again. Errors: LEDGER_UNAVAILABLE for any
 * failure of the storage, STORAGE_FULL if it has no space (the store continues when there is some), LEDGER_CORRUPT for impossible
 * content.
 */
export interface LedgerStore {
  /** The current head; undefined for an empty store. */
  head(): Promise<Head | undefined>;
  /** Creates the first head. LEDGER_CORRUPT if one exists; `identity` is the verifier key of the ledger. */
  initialise(head: Head, identity: string): Promise<void>;
  /** The verifier key that the store was initialised with. */
  identity(): Promise<string | undefined>;
  /**
   * Looks up each candidate by scope and name under the lock of the sequencer, passes the new ones to `seal`, and stores the result.
   * Candidates of one call have distinct names. An exception of `seal` rolls back.
   */
  commit(candidates: readonly Candidate[], seal: Seal): Promise<CommitResult>;
  /** The record at `index`. */
  at(index: number): Promise<LedgerRecord | undefined>;
  /** The record under scope and name. */
  find(scope: string, name: string): Promise<LedgerRecord | undefined>;
  /**
   * Looks each name up inside `scope`, in the requested order: the record of that scope; otherwise, if `reach` is `nearest`, the one
   * without a scope; otherwise one of another scope, always the first by UTF-8 bytes. Undefined if there is none. Without content. At
   * most three records are read for each name, however many scopes have it. More than MAX_LOOKUP_NAMES names are a TypeError.
   */
  lookUp(scope: string, names: readonly string[], reach: Reach): Promise<readonly (LedgerRecord | undefined)[]>;
  /** Records that match a query. The event loop runs in between, however many must be read. */
  list(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]>;
  /** The hashes of complete subtrees, in the requested order. LEDGER_CORRUPT if one is missing. */
  nodes(wanted: readonly { readonly level: number; readonly index: number }[]): Promise<readonly Uint8Array[]>;
  /**
   * Whether damage of the store is known. Then `find` and `lookUp` throw LEDGER_CORRUPT instead of reporting a missing entry, and `list`
   * works without conditions only. Unguarded stores do not have this method.
   */
  isDamaged?(): boolean;
  close(): Promise<void>;
}
