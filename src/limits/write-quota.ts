// How many bytes each caller may have written: a token bucket for each (a burst, then a steady rate), bounded in number.

import { EctError, reject } from '../errors.ts';

export interface WriteQuotaOptions {
  /** The rate, and as much at once. */
  readonly bytesPerHour: number;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Buckets that are kept; a full one is not kept, so these are callers that wrote within the last hour. */
  readonly maxCallers?: number;
}

/** What is left for a caller, as of some moment. */
interface Bucket {
  bytes: number;
  atMs: number;
}

const HOUR_MS = 3_600_000;
/** At most 2 KiB of name each. */
const MAX_CALLERS = 4096;
/** How many of the oldest buckets are looked at to make room for a new one. */
const LOOKED_AT = 16;

/**
 * Buckets by caller. One that is full again says nothing that its absence does not say, so only such a one is ever dropped:
 * nobody gets a fresh bucket by pushing its own out. While none can be dropped, callers without a bucket draw from one that
 * they share, and a new bucket begins with no more than that one has.
 */
export class WriteQuota {
  readonly #options: Required<WriteQuotaOptions>;
  /** The one that was used longest ago first. */
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

  /** Gives back what was taken and not used. */
  giveBack(caller: string, bytes: number): void {
    const bucket = this.#refilled(this.#buckets.get(caller) ?? this.#shared);
    bucket.bytes = Math.min(bucket.bytes + bytes, this.#options.bytesPerHour);
  }

  /** How many buckets are kept, and the largest share of its quota that a caller has used up: 0 to 1. */
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

  /** Whether there is room for one more bucket. */
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
