// The ledger: an append-only Merkle tree (RFC 6962) over a store. Only this class decides what is signed.

import { EctError, reject } from '../errors.ts';
import { AppendQueue, type Waiting } from './append-queue.ts';
import { signCheckpoint } from './checkpoint.ts';
import { type AppendOutcome, answerGroup, groupByName, isWanted } from './commit-outcome.ts';
import {
  type ConsistencyProof,
  type InclusionProof,
  readConsistency,
  readInclusion,
  readReceipts,
} from './evidence.ts';
import { checkStored, corrupt, type TrustedHead, trustHead } from './head.ts';
import { type HighWaterMark, holdAgainst, openMark } from './high-water-mark.ts';
import type { LedgerKey } from './ledger-key.ts';
import { type Receipt, writeReceipt } from './receipt.ts';
import { type Admitted, admit, demandNeeded, NameTaken } from './requirements.ts';
import { proveBatch, type Sealed, sealBatch } from './seal.ts';
import type { Candidate, Head, LedgerRecord, LedgerStore, Placement, Reach, RecordQuery, Seal } from './store.ts';
import { emptyRoot } from './tree.ts';

/** A commit that added entries. `durationMs` is measured by the clock of the ledger. */
export interface CommitStats {
  readonly entries: number;
  readonly durationMs: number;
  readonly size: number;
}

/** The options of a ledger. */
export interface LedgerOptions {
  readonly store: LedgerStore;
  readonly key: LedgerKey;
  /** The clock for durations, in milliseconds. */
  readonly nowMs: () => number;
  /** The newest published checkpoint. Without it a rollback of the store is not detected. */
  readonly mark?: HighWaterMark;
  /**
   * The time of an entry after one of `newestMs`, in milliseconds since the epoch. It may go back; the times of entries do not. If it
   * throws, nothing is recorded, because an entry cannot be undone. Default: `nowMs`.
   */
  readonly stampMs?: (newestMs: number) => number;
  /** Called for every commit that added entries. Must not throw. */
  readonly onCommit?: (stats: CommitStats) => void;
  /** The maximum number of candidates in a commit; 128 by default. */
  readonly maxBatch?: number;
}

/** The signed statement about size and root of the tree, and its parts. */
export interface LedgerCheckpoint {
  /** The signed note. */
  readonly note: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly origin: string;
  readonly verifierKey: string;
}

/**
 * A candidate that arrives during a commit waits for its end and for the next one: larger commits took longer, and were not faster on a
 * disk.
 */
const MAX_BATCH = 128;

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #store: LedgerStore;
  readonly #queue: AppendQueue<AppendOutcome>;
  /** The newest head that this process has seen in the store. Another process may have extended it. */
  #seen: TrustedHead;

  private constructor(options: LedgerOptions, head: TrustedHead) {
    this.#options = options;
    this.#store = options.store;
    this.#seen = head;
    this.#queue = new AppendQueue((batch) => this.#commit(batch), options.maxBatch ?? MAX_BATCH);
  }

  /**
   * Opens the ledger in the store, or creates one in an empty store. LEDGER_CORRUPT if key and store do not fit, HistoryLost if the store
   * has less than the mark, or something else.
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const { store, key, mark } = options;
    const shown = openMark(mark?.read() ?? [], key.verifierKey);
    const stored = await store.head();
    if (stored === undefined) await holdAgainst(store, undefined, shown);
    const head = trustHead(stored ?? (await startIn(store, key)), key.verifierKey);
    await checkStored(store, head, key.verifierKey);
    await holdAgainst(store, head, shown);
    mark?.raise(head);
    return new Ledger(options, head);
  }

  /** The key that verifies every checkpoint of this ledger, as a signed-note verifier key. */
  get verifierKey(): string {
    return this.#options.key.verifierKey;
  }

  /** The number of entries that this process has seen: never too many. `checkpoint` reads the store. */
  get size(): number {
    return this.#seen.size;
  }

  /** Whether damage of the store is known: then nothing is recorded, and only provable results are returned. See LedgerStore. */
  get isDamaged(): boolean {
    return this.#store.isDamaged?.() === true;
  }

  /**
   * Records a candidate once, and returns when it is durable. All waiting candidates share one commit. LEDGER_UNAVAILABLE leaves the
   * outcome unknown: appending the same candidate again is safe. A signal withdraws the candidate until it is passed to the store.
   * EntryMissing if a required entry does not exist.
   */
  append(candidate: Candidate, signal?: AbortSignal): Promise<AppendOutcome> {
    return this.#queue.add(candidate, signal);
  }

  /** Waits until all appended candidates have a result. */
  drain(): Promise<void> {
    return this.#queue.drain();
  }

  at(index: number): Promise<LedgerRecord | undefined> {
    return this.#store.at(index);
  }

  find(scope: string, name: string): Promise<LedgerRecord | undefined> {
    return this.#store.find(scope, name);
  }

  /** Looks each name up inside `scope`, without content; see LedgerStore. At most MAX_LOOKUP_NAMES names. */
  lookUp(scope: string, names: readonly string[], reach: Reach): Promise<readonly (LedgerRecord | undefined)[]> {
    return this.#store.lookUp(scope, names, reach);
  }

  list(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> {
    return this.#store.list(query, signal);
  }

  /** The hashes of leaves in the tree, in the requested order. LEDGER_CORRUPT if one is missing. */
  leafHashes(indexes: readonly number[]): Promise<readonly Uint8Array[]> {
    return this.#store.nodes(indexes.map((index) => ({ level: 0, index })));
  }

  /** The current checkpoint. */
  async checkpoint(): Promise<LedgerCheckpoint> {
    const { checkpoint: note, size, root } = await this.#head();
    const { origin, verifierKey } = this.#options.key;
    return { note, size, root, origin, verifierKey };
  }

  /** The receipt of a record of this ledger under the current checkpoint. */
  async receiptFor(record: LedgerRecord): Promise<Receipt> {
    const [receipt] = await this.receiptsFor([record]);
    return receipt as Receipt;
  }

  /** The receipts of records of this ledger, in order, with one read of the head. LEDGER_CORRUPT if one is not in its tree. */
  async receiptsFor(records: readonly LedgerRecord[]): Promise<readonly Receipt[]> {
    return readReceipts(this.#store, await this.#head(), records);
  }

  /** Proves an entry in the tree of `size` (default: the current one). INDEX_OUT_OF_RANGE, TREE_SIZE_INVALID. */
  async inclusionProof(index: number, size?: number): Promise<InclusionProof> {
    const head = await this.#head();
    return readInclusion(this.#store, head, index, size ?? head.size);
  }

  /** Proves that the tree of size `first` (from 1) is a prefix of that of `second` (default: the current one). TREE_SIZE_INVALID. */
  async consistencyProof(first: number, second?: number): Promise<ConsistencyProof> {
    const head = await this.#head();
    return readConsistency(this.#store, head, first, second ?? head.size);
  }

  async #head(): Promise<TrustedHead> {
    // A commit may complete during the read; commits that completed before must be included.
    const seen = this.#seen;
    const head = await this.#store.head();
    if (head === undefined) throw corrupt('The head is gone from the store.');
    return this.#advance(trustHead(head, this.verifierKey, seen));
  }

  /** Called before a head is published, so that no published head is newer than the high-water mark. */
  #advance(head: TrustedHead): TrustedHead {
    if (head.size <= this.#seen.size) return head;
    this.#options.mark?.raise(head);
    this.#seen = head;
    return head;
  }

  async #commit(waiting: readonly Waiting<AppendOutcome>[]): Promise<void> {
    for (let isCertain = false; ; isCertain = true) {
      const admitted = await admit(this.#store, waiting, isCertain);
      if (admitted.batch.length === 0) return;
      try {
        return await this.#commitAdmitted(admitted);
      } catch (error) {
        if (!(error instanceof NameTaken)) throw error;
        // The commit was rolled back. The name is taken in the store by now.
        waiting = admitted.batch;
      }
    }
  }

  async #commitAdmitted({ batch: waiting, needed }: Admitted<AppendOutcome>): Promise<void> {
    const { store, key, nowMs, stampMs = nowMs, onCommit } = this.#options;
    const groups = groupByName(waiting);
    const startedMs = nowMs();
    const seen = this.#seen;
    let sealed: Sealed | undefined;
    const seal: Seal = (base, fresh) => {
      demandNeeded(fresh, needed);
      sealed = sealBatch(trustHead(base, key.verifierKey, seen), fresh, key, stampMs(base.recordedAtMs));
      return sealed.batch;
    };
    const candidates = groups.map(([first]) => first.candidate);
    const { placements, batch, head } = await store.commit(candidates, seal).catch(throwAsEctError);
    // The commit point: from here on the entries are durable, and the signed head may be published.
    const placed = groups.map((group, position) => ({ group, ...(placements[position] as Placement) }));
    if (batch !== undefined && sealed !== undefined) {
      this.#advance(sealed.head);
      const receipts = receiptsOf(sealed);
      for (const { group, record } of placed.filter(({ added }) => added)) {
        answerGroup(group, record, receipts.get(record.index), true);
      }
      onCommit?.({ entries: batch.records.length, durationMs: Math.max(0, nowMs() - startedMs), size: head.size });
    }
    const before = placed.filter(({ added }) => !added);
    if (before.length === 0) return;
    const current = this.#advance(trustHead(head, key.verifierKey, seen));
    const wanted = before.filter(({ group, record }) => isWanted(group, record)).map(({ record }) => record);
    const receipts = await readReceipts(store, current, wanted);
    for (const { group, record } of before) answerGroup(group, record, receipts[wanted.indexOf(record)], false);
  }
}

async function startIn(store: LedgerStore, key: LedgerKey): Promise<Head> {
  const checkpoint = signCheckpoint(key, { size: 0, root: emptyRoot() });
  const head = { size: 0, frontier: [], recordedAtMs: 0, checkpoint };
  try {
    await store.initialise(head, key.verifierKey);
    return head;
  } catch (error) {
    // Another process may have created the ledger first. Its head is checked like any other.
    const theirs = await store.head();
    if (theirs === undefined) throw error;
    return theirs;
  }
}

function receiptsOf(sealed: Sealed): ReadonlyMap<number, Receipt> {
  const { size, checkpoint } = sealed.head;
  const proofs = proveBatch(sealed);
  return new Map(
    sealed.batch.records.map(({ index, leaf, salt }, position) => {
      const hashes = proofs[position] ?? [];
      return [index, writeReceipt(leaf, size, { leafIndex: index, hashes, checkpoint, salt })];
    }),
  );
}

function throwAsEctError(cause: unknown): never {
  if (cause instanceof EctError || cause instanceof NameTaken) throw cause;
  throw new EctError(reject('LEDGER_UNAVAILABLE', 'The ledger could not be written; the outcome is open.'), { cause });
}
