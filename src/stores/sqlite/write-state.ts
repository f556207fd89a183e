// Whether a file takes writes, from what its writes came to. After an error that may have left it inconsistent on the disk it takes
// none until that is repaired.

import { forbidsWriting, isDiskFailure, isFull, type StoreReasons, takesNoWrites } from './failures.ts';
import type { StorageStage } from './storage-watch.ts';

/** A write as recent as this shows that the next one is likely to succeed. */
const RECENT_MS = 5_000;

/** Why nothing may be written, and whether that can be repaired. */
interface Unsafe {
  readonly cause: unknown;
  readonly isRepairable: boolean;
}

export class WriteState {
  readonly #reasons: StoreReasons;
  readonly #onFailure: (stage: StorageStage, error: unknown) => void;
  #unsafe: Unsafe | undefined;
  /** Why the last write failed; undefined after one that succeeded. */
  #failure: unknown;
  #wroteAtMs = Number.NEGATIVE_INFINITY;

  /** `onFailure` is called for each write that failed. */
  constructor(reasons: StoreReasons, onFailure: (stage: StorageStage, error: unknown) => void) {
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

  /** Whether the last write that succeeded is recent. */
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

  /** Nothing is written any more by this process. */
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
