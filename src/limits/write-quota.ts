// Limits the bytes that are written for each caller: a token bucket for each caller, with a bounded number of buckets.

import { EctError, reject } from '../errors.ts';

export interface WriteQuotaOptions {
  /** The refill rate, which is also the size of a bucket. */
  readonly bytesPerHour: number;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs: () => number;
  /** The number of buckets. */
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
/** How many of the fullest buckets are found at once. */
const FOUND_AT_ONCE = 64;

/**
 * Token buckets by caller. If there are as many as may be, a new caller takes over the fullest one, with what it has left. So no caller
 * gets more by having its own bucket dropped, all names together have no more than these buckets, and a peer with many names must empty
 * all of them before a new caller is rejected.
 */
export class WriteQuota {
  readonly #options: Required<WriteQuotaOptions>;
  readonly #buckets = new Map<string, Bucket>();
  /** The fullest of all buckets when they were compared last, the fullest at the end. */
  #fullest: { readonly caller: string; readonly bucket: Bucket; readonly bytes: number }[] = [];

  constructor(options: WriteQuotaOptions) {
    this.#options = { maxCallers: MAX_CALLERS, ...options };
  }

  /** Rejects with QUOTA_EXCEEDED what `take` would reject now. */
  demand(caller: string, bytes: number): void {
    this.#rejectBeyond(this.#bucketFor(caller), bytes);
  }

  /** Takes the bytes, or rejects with QUOTA_EXCEEDED and takes nothing. */
  take(caller: string, bytes: number): void {
    const bucket = this.#bucketFor(caller);
    this.#rejectBeyond(bucket, bytes);
    bucket.bytes -= bytes;
    if (this.#buckets.get(caller) !== bucket) this.#own(caller, bucket);
  }

  /** Refunds bytes that were taken and not used. A bucket that another caller has taken over gets nothing back. */
  refund(caller: string, bytes: number): void {
    const own = this.#buckets.get(caller);
    if (own === undefined) return;
    const bucket = this.#refilled(own);
    bucket.bytes = Math.min(bucket.bytes + bytes, this.#options.bytesPerHour);
  }

  /** The number of buckets, and the largest fraction of a quota that a caller has used: 0 to 1. */
  state(): { readonly callers: number; readonly used: number } {
    const { bytesPerHour } = this.#options;
    let least = bytesPerHour;
    for (const bucket of this.#buckets.values()) least = Math.min(least, this.#refilled(bucket).bytes);
    return { callers: this.#buckets.size, used: 1 - least / bytesPerHour };
  }

  /** Its own bucket, or the one that it would get. */
  #bucketFor(caller: string): Bucket {
    const { maxCallers, bytesPerHour, nowMs } = this.#options;
    const known = this.#buckets.get(caller);
    if (known !== undefined) return this.#refilled(known);
    if (this.#buckets.size < maxCallers) return { bytes: bytesPerHour, atMs: nowMs() };
    return this.#findFullest().bucket;
  }

  /** Makes a bucket that `#bucketFor` returned the caller's own. */
  #own(caller: string, bucket: Bucket): void {
    const found = this.#fullest.at(-1);
    if (found?.bucket === bucket) {
      this.#buckets.delete(found.caller);
      this.#fullest.pop();
    }
    this.#buckets.set(caller, bucket);
  }

  /** The fullest bucket. All are compared once for many that are taken over: only those that were used since are not the fullest any more. */
  #findFullest() {
    for (;;) {
      const last = this.#fullest.at(-1);
      if (last === undefined) {
        const all = [...this.#buckets].map(([caller, bucket]) => ({
          caller,
          bucket,
          bytes: this.#refilled(bucket).bytes,
        }));
        this.#fullest = all.sort((a, b) => a.bytes - b.bytes).slice(-FOUND_AT_ONCE);
      } else if (this.#buckets.get(last.caller) === last.bucket && this.#refilled(last.bucket).bytes >= last.bytes) {
        return last;
      } else this.#fullest.pop();
    }
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
