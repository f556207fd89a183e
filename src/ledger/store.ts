// Port: the storage of a ledger. The ledger does not know tokens: an entry is a unique name in a scope, and bytes.

/** An entry by its place and what it holds. */
export interface EntryRef {
  readonly scope: string;
  readonly name: string;
  readonly digest: Uint8Array;
}

/** What somebody wants recorded. */
export interface Candidate {
  /** Scope of `name`; empty for the global scope. `scope` and `name` together are unique in the ledger. */
  readonly scope: string;
  readonly name: string;
  /** Who made the content; entries can be listed by it. */
  readonly author: string;
  /** 32 bytes that identify the content: equal digest, same content. */
  readonly digest: Uint8Array;
  /** The content. It is kept beside the tree; the leaf only commits to it. */
  readonly content: Uint8Array;
  /**
   * Who had it recorded and by which right, as far as anybody asked for it: 1 to MAX_PROVENANCE_BYTES. It is kept beside the
   * tree; the salt, and so the leaf, commits to it.
   */
  readonly provenance?: Uint8Array | undefined;
  /**
   * Entries without which this one means nothing: it is recorded only where each of them is, with exactly this content. They
   * were handed in before it.
   */
  readonly after?: readonly EntryRef[];
  /** Writes the leaf bytes. Pure; called inside the commit, once the time and the commitment are fixed. */
  leaf(seal: { readonly recordedAtMs: number; readonly commitment: string }): Uint8Array;
}

/** An entry as it is kept. `content`, `salt` and `provenance` may have been erased, together; the leaf never changes. */
export interface LedgerRecord {
  /** From 0, without gaps. */
  readonly index: number;
  readonly scope: string;
  readonly name: string;
  readonly author: string;
  readonly digest: Uint8Array;
  /** Milliseconds since the epoch. Never less than that of the entry before. */
  readonly recordedAtMs: number;
  readonly leaf: Uint8Array;
  readonly salt: Uint8Array | null;
  readonly content: Uint8Array | null;
  /** 32 random bytes, then the provenance; its SHA-256 is the salt. Null if none was recorded. */
  readonly provenance: Uint8Array | null;
}

/** The root hash of a complete subtree: the node number `index` from the left at `level` (0 = leaf hashes). */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}

/** State of the tree after some commit. */
export interface Head {
  readonly size: number;
  /** Hashes of the perfect subtrees that make up the tree, largest (leftmost) first; empty for size 0. */
  readonly frontier: readonly Uint8Array[];
  /** Time of the newest entry, milliseconds; 0 for size 0. */
  readonly recordedAtMs: number;
  /** The signed note over this size and root. */
  readonly checkpoint: string;
}

/** What one commit adds: records and nodes, and the head that includes them. */
export interface SealedBatch {
  readonly records: readonly LedgerRecord[];
  /** For each record in turn its leaf hash, then the subtrees that the leaf completes, from below. */
  readonly nodes: readonly TreeNode[];
  readonly head: Head;
}

/** Extends a head by candidates. Pure and synchronous: it runs while the store holds its sequencer lock. */
export type Seal = (head: Head, fresh: readonly Candidate[]) => SealedBatch;

/** Which entries to list; conditions that are set must all hold. */
export interface RecordQuery {
  readonly scope?: string;
  readonly author?: string;
  /** Inclusive, milliseconds. */
  readonly fromMs?: number;
  /** Exclusive, milliseconds. */
  readonly beforeMs?: number;
  /** First index that may be listed. */
  readonly startIndex: number;
  /** Index from which on nothing may be listed; absent: there is no end. */
  readonly endIndex?: number;
  /** Whether the newest come first. Otherwise entries are in the order of the index. */
  readonly newestFirst?: boolean;
  /** At most this many, from the side that comes first. */
  readonly limit: number;
  /** Whether `content`, `salt` and `provenance` are wanted; without, they may be null. */
  readonly withContent: boolean;
}

/** Where a name is looked for: in one scope alone, or in whichever scope is nearest. */
export type Reach = 'scope' | 'nearest';

/** Names of one look-up, at most: a store may hold the event loop for one call, and so a call stays within some milliseconds. */
export const MAX_LOOKUP_NAMES = 100;

/** What became of one candidate. */
export interface Placement {
  /** Whether this commit added it. If not, `record` is what was there under the same scope and name. */
  readonly added: boolean;
  readonly record: LedgerRecord;
}

/** What a commit did: one placement a candidate, in order, and the head after it. */
export interface CommitResult {
  readonly placements: readonly Placement[];
  /** The sealed batch, or undefined where every candidate was there already and nothing was written. */
  readonly batch: SealedBatch | undefined;
  readonly head: Head;
}

/**
 * A place to keep a ledger.
 *
 * Atomicity: `commit` is all or nothing, and `scope`+`name` is unique across every process that shares the store; two
 * sequencers can never extend the same head. Durability: when `commit` has answered, its batch survives a crash of the
 * process and of the machine (the memory adapter excepted: it says so). Order: reads see every commit that has answered.
 * Retries: none here; a failed commit may be tried again by the caller, since a name that landed is found again.
 * Failures: EctError LEDGER_UNAVAILABLE for anything that the storage rejects, STORAGE_FULL where it has no space (the
 * store goes on by itself once there is some), LEDGER_CORRUPT for content that cannot be.
 */
export interface LedgerStore {
  /** The current head, or undefined for a store that was never written. */
  head(): Promise<Head | undefined>;
  /** Creates the first head. Rejected with LEDGER_CORRUPT where one exists; `identity` is the ledger's verifier key. */
  initialise(head: Head, identity: string): Promise<void>;
  /** The verifier key that the store was initialised with. */
  identity(): Promise<string | undefined>;
  /**
   * Looks each candidate up by scope and name under the sequencer lock, hands those that are new to `seal`, and stores
   * what it returns. Candidates of one call have distinct names. An exception of `seal` leaves nothing behind.
   */
  commit(candidates: readonly Candidate[], seal: Seal): Promise<CommitResult>;
  /** The record at `index`. */
  at(index: number): Promise<LedgerRecord | undefined>;
  /** The record under scope and name. */
  find(scope: string, name: string): Promise<LedgerRecord | undefined>;
  /**
   * What each name means inside `scope`, in the order asked: the record of that scope; else, where `reach` is `nearest`, the
   * one without a scope; else one of another scope, always the one whose scope comes first in the order of its UTF-8 bytes.
   * Undefined where there is none. Without content. At most three records are read a name, however many scopes share it.
   * More than MAX_LOOKUP_NAMES names are a TypeError.
   */
  lookUp(scope: string, names: readonly string[], reach: Reach): Promise<readonly (LedgerRecord | undefined)[]>;
  /** Records that fit a query. The event loop is free in between, however many must be read to find them. */
  list(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]>;
  /** The hashes of complete subtrees, in the order asked. LEDGER_CORRUPT where one is missing. */
  nodes(wanted: readonly { readonly level: number; readonly index: number }[]): Promise<readonly Uint8Array[]>;
  /**
   * Whether damage of the store is known. Then `find` and `lookUp` reject to say that something is not there (LEDGER_CORRUPT), and
   * `list` returns without conditions only. A store that is not watched has no such method.
   */
  isDamaged?(): boolean;
  close(): Promise<void>;
}
