// Limits the bytes that are written for each caller: a token bucket for each caller, with a bounded number of buckets.

import { EctError, reject } from '../errors.ts';

export interface WriteQuotaOptions {
  /** The refill rate, which is also the size of a bucket. */
  readonly bytesPerHour: number;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs: () => number;
  /** The number of buckets. Full buckets may be dropped, so these are the callers that wrote within the last hour. */
  readonly maxCallers?: number;
}

/** The bytes left for a caller at a time. */
interface Bucket {
  bytes: number;
  atMs: number;
}

const HOUR_MS = 3_600_000;
/** Each name has at most 2 KiB. */
const MAX_CALLERS = 4096;
/** How many of the oldest buckets are examined to find one that can be dropped. */
const LOOKED_AT = 16;

/**
 * Token buckets by caller. Only a full bucket is dropped, because a new bucket is full too: no caller gets more by having its own bucket
 * dropped. While no bucket can be dropped, callers without a bucket share one, and a new bucket starts with at most what the shared one
 * has left.
 */
export class WriteQuota {
  readonly #options: Required<WriteQuotaOptions>;
  /** Least recently used first. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #shared: Bucket;

  constructor(options: WriteQuotaOptions) {
    this.#options = { maxCallers: MAX_CALLERS, ...options };
    this.#shared = { bytes: options.bytesPerHour, atMs: options.nowMs() };
  }

  /** Rejects with QUOTA_EXCEEDED what `take` would reject now. */
  demand(caller: string, bytes: number): void {
    this.#rejectBeyond(this.#refilled(this.#buckets.get(caller) ?? this.#shared), bytes);
  }

  /** Takes the bytes, or rejects with QUOTA_EXCEEDED and takes nothing. */
  take(caller: string, bytes: number): void {
    const bucket = this.#refilled(this.#buckets.get(caller) ?? this.#shared);
    this.#rejectBeyond(bucket, bytes);
    this.#bucketFor(caller).bytes -= bytes;
  }

  /** Refunds bytes that were taken and not used. */
  refund(caller: string, bytes: number): void {
    const bucket = this.#refilled(this.#buckets.get(caller) ?? this.#shared);
    bucket.bytes = Math.min(bucket.bytes + bytes, this.#options.bytesPerHour);
  }

  /** The number of buckets, and the largest fraction of a quota that a caller has used: 0 to 1. */
  state(): { readonly callers: number; readonly used: number } {
    const { bytesPerHour } = this.#options;
    let least = this.#refilled(this.#shared).bytes;
    for (const bucket of this.#buckets.values()) least = Math.min(least, this.#refilled(bucket).bytes);
    return { callers: this.#buckets.size, used: 1 - least / bytesPerHour };
  }

  #bucketFor(caller: string): Bucket {
    const known = this.#buckets.get(caller);
    if (known === undefined && !this.#makeRoom()) return this.#shared;
    const bucket = known ?? { ...this.#refilled(this.#shared) };
    this.#buckets.delete(caller);
    this.#buckets.set(caller, bucket);
    return bucket;
  }

  /** Whether one more bucket fits. */
  #makeRoom(): boolean {
    const { maxCallers, bytesPerHour } = this.#options;
    if (this.#buckets.size < maxCallers) return true;
    let looked = 0;
    for (const [caller, bucket] of this.#buckets) {
      if (looked++ === LOOKED_AT) break;
      if (this.#refilled(bucket).bytes >= bytesPerHour) this.#buckets.delete(caller);
    }
    return this.#buckets.size < maxCallers;
  }

  #refilled(bucket: Bucket): Bucket {
    const { bytesPerHour, nowMs } = this.#options;
    const now = nowMs();
    bucket.bytes = Math.min(bucket.bytes + ((now - bucket.atMs) * bytesPerHour) / HOUR_MS, bytesPerHour);
    bucket.atMs = now;
    return bucket;
  }

  #rejectBeyond({ bytes: left }: Bucket, bytes: number): void {
    if (bytes <= left) return;
    const { bytesPerHour } = this.#options;
    const seconds = Math.ceil(((bytes - left) * HOUR_MS) / bytesPerHour / 1000);
    throw new EctError(
      reject(
        'QUOTA_EXCEEDED',
        `This caller has had ${bytesPerHour} bytes stored within the last hour, which is its quota.`,
        {
          quota: 'written_bytes_per_hour',
          limit: String(bytesPerHour),
          retry_after_seconds: String(seconds),
        },
      ),
    );
  }
}
