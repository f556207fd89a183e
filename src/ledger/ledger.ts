// The ledger: an append-only Merkle tree (RFC 6962) over a store. It alone decides what is signed.

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

/** One commit that added something. `durationMs` is by the clock of the ledger. */
export interface CommitStats {
  readonly entries: number;
  readonly durationMs: number;
  readonly size: number;
}

/** What a ledger is opened with. */
export interface LedgerOptions {
  readonly store: LedgerStore;
  readonly key: LedgerKey;
  /** The clock that durations are measured by, in milliseconds. */
  readonly nowMs: () => number;
  /** The newest checkpoint that was shown. Without one a store that was taken back goes unnoticed. */
  readonly mark?: HighWaterMark;
  /**
   * The time for entries that come after one of `newestMs`, in milliseconds since the epoch. It may go back: the times of
   * entries do not. It may throw, and then nothing is recorded: an entry cannot be taken back. `nowMs` where it is not said.
   */
  readonly stampMs?: (newestMs: number) => number;
  /** Called for every commit that added something. Must not throw. */
  readonly onCommit?: (stats: CommitStats) => void;
  /** How many candidates one commit takes at most; 128 where it is not said. */
  readonly maxBatch?: number;
}

/** The signed statement of the tree's size and root, taken apart. */
export interface LedgerCheckpoint {
  /** The signed note. */
  readonly note: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly origin: string;
  readonly verifierKey: string;
}

/** Who comes during a commit waits for its end and then for the next: larger ones took longer, and were no faster on a disk. */
const MAX_BATCH = 128;

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #store: LedgerStore;
  readonly #queue: AppendQueue<AppendOutcome>;
  /** The newest head that this process knows to be in the store. Another process may have gone further. */
  #seen: TrustedHead;

  private constructor(options: LedgerOptions, head: TrustedHead) {
    this.#options = options;
    this.#store = options.store;
    this.#seen = head;
    this.#queue = new AppendQueue((batch) => this.#commit(batch), options.maxBatch ?? MAX_BATCH);
  }

  /**
   * Opens the ledger that the store holds, or starts one in an empty store. LEDGER_CORRUPT where the two do not fit, HistoryLost
   * where the store holds less than the mark, or something else.
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

  /** The key that verifies every checkpoint of this ledger, in the signed-note form. */
  get verifierKey(): string {
    return this.#options.key.verifierKey;
  }

  /** Entries, as far as this process has seen: never too many. `checkpoint` asks the store. */
  get size(): number {
    return this.#seen.size;
  }

  /** Whether damage of the store is known: then nothing is recorded, and only what can be proven is answered. See LedgerStore. */
  get isDamaged(): boolean {
    return this.#store.isDamaged?.() === true;
  }

  /**
   * Records a candidate once, and returns when it is durable. All that wait share one commit. LEDGER_UNAVAILABLE leaves the
   * outcome open: the same candidate again settles it. A signal withdraws the candidate until it is handed to the store.
   * EntryMissing where an entry that the candidate comes after is not there.
   */
  append(candidate: Candidate, signal?: AbortSignal): Promise<AppendOutcome> {
    return this.#queue.add(candidate, signal);
  }

  /** Waits until everything that was appended so far has its outcome. */
  drain(): Promise<void> {
    return this.#queue.drain();
  }

  at(index: number): Promise<LedgerRecord | undefined> {
    return this.#store.at(index);
  }

  find(scope: string, name: string): Promise<LedgerRecord | undefined> {
    return this.#store.find(scope, name);
  }

  /** What each name means inside `scope`, without content; see LedgerStore. At most MAX_LOOKUP_NAMES names. */
  lookUp(scope: string, names: readonly string[], reach: Reach): Promise<readonly (LedgerRecord | undefined)[]> {
    return this.#store.lookUp(scope, names, reach);
  }

  list(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> {
    return this.#store.list(query, signal);
  }

  /** The hashes of leaves as the tree keeps them, in the order asked. LEDGER_CORRUPT where one is missing. */
  leafHashes(indexes: readonly number[]): Promise<readonly Uint8Array[]> {
    return this.#store.nodes(indexes.map((index) => ({ level: 0, index })));
  }

  /** The current checkpoint. */
  async checkpoint(): Promise<LedgerCheckpoint> {
    const { checkpoint: note, size, root } = await this.#head();
    const { origin, verifierKey } = this.#options.key;
    return { note, size, root, origin, verifierKey };
  }

  /** The receipt of a record of this ledger against the current checkpoint. */
  async receiptFor(record: LedgerRecord): Promise<Receipt> {
    const [receipt] = await this.receiptsFor([record]);
    return receipt as Receipt;
  }

  /** The receipts of records of this ledger, in order, with one look at the head. LEDGER_CORRUPT where one is not of its tree. */
  async receiptsFor(records: readonly LedgerRecord[]): Promise<readonly Receipt[]> {
    return readReceipts(this.#store, await this.#head(), records);
  }

  /** Proves an entry in the tree of `size` (the current one where it is not said). INDEX_OUT_OF_RANGE, TREE_SIZE_INVALID. */
  async inclusionProof(index: number, size?: number): Promise<InclusionProof> {
    const head = await this.#head();
    return readInclusion(this.#store, head, index, size ?? head.size);
  }

  /** Proves the tree of size `first` (from 1) in that of `second` (the current one where it is not said). TREE_SIZE_INVALID. */
  async consistencyProof(first: number, second?: number): Promise<ConsistencyProof> {
    const head = await this.#head();
    return readConsistency(this.#store, head, first, second ?? head.size);
  }

  async #head(): Promise<TrustedHead> {
    // Commits that answer while the store is read may overtake it; those that answered before must be in it.
    const seen = this.#seen;
    const head = await this.#store.head();
    if (head === undefined) throw corrupt('The head is gone from the store.');
    return this.#advance(trustHead(head, this.verifierKey, seen));
  }

  /** Must be called before a head is shown, so that no shown head is newer than the high-water mark. */
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
        // Nothing of it stayed. What was taken is in the store by now.
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
    // The commit point: from here on the entries are durable, and what the seal signed may be shown.
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
    // Another process may have been first. What it started is judged like any other store.
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
