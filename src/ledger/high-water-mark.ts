// The high-water mark: the newest checkpoint that a ledger has published, stored apart from its store. A store that was deleted, restored
// from an old copy or truncated is consistent in itself, but contradicts the mark.

import { openCheckpoint, signCheckpoint, type TreeHead } from './checkpoint.ts';
import { readConsistency } from './evidence.ts';
import { isSame, type TrustedHead, trustHead } from './head.ts';
import type { LedgerKey } from './ledger-key.ts';
import type { LedgerStore } from './store.ts';
import { emptyRoot, perfectSubtrees, rootOf } from './tree.ts';

/** A published checkpoint, and the time of its newest entry. */
export interface KeptCheckpoint {
  /** The signed note. */
  readonly checkpoint: string;
  readonly recordedAtMs: number;
}

/**
 * Stores the mark apart from the ledger store, so that a rollback of the store does not affect it. Several processes may raise one mark.
 * It is never ahead of what is durable in the store, so no crash makes it contradict an intact store.
 */
export interface HighWaterMark {
  /** The newest checkpoint of each process. Empty if there never was a mark. HistoryLost if it is damaged. */
  read(): readonly KeptCheckpoint[];
  /**
   * Stores a checkpoint before it is published. When this returns, it survives the end of the process; it survives a crash of the machine
   * after a time that the adapter states. LEDGER_UNAVAILABLE if it cannot be stored.
   */
  raise(kept: KeptCheckpoint): void;
}

/** Why a ledger contradicts its mark: it is missing, shorter or different; or the mark belongs to another one, or is damaged. */
export type LossKind = 'gone' | 'shorter' | 'different' | 'foreign mark' | 'damaged mark';

/** A checkpoint of the mark with a valid signature. */
export interface ShownCheckpoint extends KeptCheckpoint, TreeHead {}

/** The store contains less than was published, or something else. Nothing was signed or written. */
export class HistoryLost extends Error {
  override readonly name = 'HistoryLost';
  readonly kind: LossKind;
  /** The newest checkpoint that contradicts the store; undefined if the mark itself is unusable. */
  readonly shown: ShownCheckpoint | undefined;
  /** The number of entries in the store. */
  readonly size: number;

  constructor(kind: LossKind, shown: ShownCheckpoint | undefined, size: number) {
    super(`the history of the ledger is lost: ${kind}`);
    this.kind = kind;
    this.shown = shown;
    this.size = size;
  }
}

/** The checkpoints of a mark, newest first. Each must be signed by the key of this ledger: a mark of another ledger is rejected. */
export function openMark(kept: readonly KeptCheckpoint[], verifierKey: string): readonly ShownCheckpoint[] {
  const shown = kept.map(({ checkpoint, recordedAtMs }) => {
    const opened = openCheckpoint(checkpoint, verifierKey);
    if (!opened.ok) throw new HistoryLost('foreign mark', undefined, 0);
    return { checkpoint, recordedAtMs, size: opened.size, root: opened.root };
  });
  return shown.sort((a, b) => b.size - a.size);
}

/**
 * Compares a store with published checkpoints, which must be read before `head`, because other processes may continue meanwhile.
 * HistoryLost if a checkpoint does not belong to the history of the store. An empty history cannot be lost.
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
    // The nodes for this root are those of the tree of the head.
    await readConsistency(store, head, checkpoint.size, head.size);
  }
}

/** Compares a store, or a missing one, with a mark. HistoryLost if they contradict each other. */
export async function checkHistory(
  store: LedgerStore | undefined,
  kept: readonly KeptCheckpoint[],
  verifierKey: string,
): Promise<void> {
  const shown = openMark(kept, verifierKey);
  const head = await store?.head();
  await holdAgainst(store, head && trustHead(head, verifierKey), shown);
}

/** The checkpoint of an empty ledger. */
export function emptyCheckpoint(key: LedgerKey): KeptCheckpoint {
  return { checkpoint: signCheckpoint(key, { size: 0, root: emptyRoot() }), recordedAtMs: 0 };
}
