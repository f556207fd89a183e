// Tracks whether a file accepts writes. After an error that may have left it inconsistent, it rejects them until it was repaired.

import { type FileReasons, forbidsWriting, isDiskFailure, isFull, takesNoWrites } from './failures.ts';
import type { StorageStage } from './storage-watch.ts';

/** If the last successful write is this recent, the next one will probably succeed. */
const RECENT_MS = 5_000;

/** Why writes are rejected, and whether that can be repaired. */
interface Unsafe {
  readonly cause: unknown;
  readonly isRepairable: boolean;
}

export class WriteState {
  readonly #reasons: FileReasons;
  readonly #onFailure: (stage: StorageStage, error: unknown) => void;
  #unsafe: Unsafe | undefined;
  /** Why the last write failed; undefined if it succeeded. */
  #failure: unknown;
  #wroteAtMs = Number.NEGATIVE_INFINITY;

  /** `onFailure` is called for each failed write. */
  constructor(reasons: FileReasons, onFailure: (stage: StorageStage, error: unknown) => void) {
    this.#reasons = reasons;
    this.#onFailure = onFailure;
  }

  get unsafe(): Unsafe | undefined {
    return this.#unsafe;
  }

  get isWritable(): boolean {
    return this.#failure === undefined && this.#unsafe === undefined;
  }

  /** Whether the last write found no space. */
  get isFull(): boolean {
    return isFull(this.#failure);
  }

  /** Whether the last successful write is recent. */
  get isRecent(): boolean {
    return performance.now() - this.#wroteAtMs < RECENT_MS;
  }

  succeeded(): void {
    this.#failure = undefined;
    this.#wroteAtMs = performance.now();
  }

  failed(error: unknown, stage: StorageStage): void {
    const isRepairable = stage === 'sync' || isDiskFailure(error);
    if (isRepairable || forbidsWriting(error)) this.#unsafe ??= { cause: error, isRepairable };
    this.#failure = error;
    this.#onFailure(stage, error);
  }

  /** Rejects all further writes of this process. */
  forbid(cause: unknown): void {
    this.#unsafe ??= { cause, isRepairable: false };
  }

  repaired(): void {
    this.#unsafe = undefined;
  }

  rejectUnsafe(): void {
    if (this.#unsafe === undefined) return;
    const { cause, isRepairable } = this.#unsafe;
    throw takesNoWrites(cause, isRepairable, this.#reasons);
  }
}
