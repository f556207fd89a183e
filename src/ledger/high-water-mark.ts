// The high-water mark: the newest checkpoint that a ledger has shown, kept apart from its store. A store that was deleted,
// put back from an old copy or cut short is consistent in itself; it contradicts the mark.

import { openCheckpoint, signCheckpoint, type TreeHead } from './checkpoint.ts';
import { readConsistency } from './evidence.ts';
import { isSame, type TrustedHead, trustHead } from './head.ts';
import type { LedgerKey } from './ledger-key.ts';
import type { LedgerStore } from './store.ts';
import { emptyRoot, perfectSubtrees, rootOf } from './tree.ts';

/** A checkpoint that was shown, and the time of the newest entry in it. */
export interface KeptCheckpoint {
  /** The signed note. */
  readonly checkpoint: string;
  readonly recordedAtMs: number;
}

/**
 * Where the mark is kept: apart from the store, so that what takes the store back leaves the mark. Several processes may raise
 * one mark. It is never ahead of what is durable in the store, so no crash makes it contradict a store that lost nothing.
 */
export interface HighWaterMark {
  /** What is kept: the newest of each process. Empty where there never was a mark. HistoryLost where it is damaged. */
  read(): readonly KeptCheckpoint[];
  /**
   * Keeps a checkpoint before it is shown. When this returns, the end of the process cannot take it back; a crash of the machine
   * cannot within a time that the adapter states. LEDGER_UNAVAILABLE where it cannot be kept.
   */
  raise(kept: KeptCheckpoint): void;
}

/** Why a ledger is not what was shown of it: it is gone, shorter or different; or the mark is of another one, or damaged. */
export type LossKind = 'gone' | 'shorter' | 'different' | 'foreign mark' | 'damaged mark';

/** A checkpoint of the mark whose signature holds. */
export interface ShownCheckpoint extends KeptCheckpoint, TreeHead {}

/** The store holds less than was shown, or something else. Nothing was signed, and nothing was written. */
export class HistoryLost extends Error {
  override readonly name = 'HistoryLost';
  readonly kind: LossKind;
  /** The newest checkpoint that contradicts the store; undefined where the mark itself cannot be used. */
  readonly shown: ShownCheckpoint | undefined;
  /** Entries that the store holds. */
  readonly size: number;

  constructor(kind: LossKind, shown: ShownCheckpoint | undefined, size: number) {
    super(`the history of the ledger is lost: ${kind}`);
    this.kind = kind;
    this.shown = shown;
    this.size = size;
  }
}

/** The checkpoints of a mark, newest first. Each must be signed by this ledger's key: a mark of another ledger is rejected. */
export function openMark(kept: readonly KeptCheckpoint[], verifierKey: string): readonly ShownCheckpoint[] {
  const shown = kept.map(({ checkpoint, recordedAtMs }) => {
    const opened = openCheckpoint(checkpoint, verifierKey);
    if (!opened.ok) throw new HistoryLost('foreign mark', undefined, 0);
    return { checkpoint, recordedAtMs, size: opened.size, root: opened.root };
  });
  return shown.sort((a, b) => b.size - a.size);
}

/**
 * Holds a store against what was shown, which must have been read before `head`: then other processes may go on meanwhile.
 * HistoryLost where a checkpoint is not of the store's history. An empty history cannot be lost.
 */
export async function holdAgainst(
  store: LedgerStore | undefined,
  head: TrustedHead | undefined,
  shown: readonly ShownCheckpoint[],
): Promise<void> {
  for (const checkpoint of shown.filter(({ size }) => size > 0)) {
    if (store === undefined || head === undefined) throw new HistoryLost('gone', checkpoint, 0);
    if (head.size < checkpoint.size) throw new HistoryLost('shorter', checkpoint, head.size);
    const hashes = await store.nodes(perfectSubtrees(0, checkpoint.size));
    if (!isSame(rootOf(hashes), checkpoint.root)) throw new HistoryLost('different', checkpoint, head.size);
    // The nodes that led to this root are those of the head's own tree.
    await readConsistency(store, head, checkpoint.size, head.size);
  }
}

/** Holds a store, or none where nothing is there, against what is kept in a mark. HistoryLost where they contradict each other. */
export async function checkHistory(
  store: LedgerStore | undefined,
  kept: readonly KeptCheckpoint[],
  verifierKey: string,
): Promise<void> {
  const shown = openMark(kept, verifierKey);
  const head = await store?.head();
  await holdAgainst(store, head && trustHead(head, verifierKey), shown);
}

/** The checkpoint of a ledger that holds nothing yet. */
export function emptyCheckpoint(key: LedgerKey): KeptCheckpoint {
  return { checkpoint: signCheckpoint(key, { size: 0, root: emptyRoot() }), recordedAtMs: 0 };
}
