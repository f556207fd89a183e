// Rate limit and concurrency limit of each caller, where the operator configures them. Each process counts separately.

import { type Caller, callerName, type Obligations } from '../authority/index.ts';
import { EctError, reject } from '../errors.ts';
import { TokenBucket } from './token-bucket.ts';

export interface CallLimitsOptions {
  readonly obligationsOf: (caller: Caller) => Obligations;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs: () => number;
  /** How many callers are counted. */
  readonly maxCallers?: number;
}

/** What a caller has used. */
interface Use {
  /** The limits when it was created. */
  readonly obligations: Obligations;
  readonly bucket: TokenBucket | undefined;
  /** Kept when the limits change. */
  readonly calls: { open: number };
}

const MAX_CALLERS = 10_000;
/** How many of the oldest entries are examined to find one that can be dropped. */
const LOOKED_AT = 16;

export class CallLimits {
  readonly #options: Required<CallLimitsOptions>;
  /** Oldest first. */
  readonly #uses = new Map<string, Use>();
  /** Shared by the callers for which there was no room. */
  #shared: Use | undefined;

  constructor(options: CallLimitsOptions) {
    this.#options = { maxCallers: MAX_CALLERS, ...options };
  }

  /**
   * Counts a call. Returns the function to call when it ends, undefined if the caller has no limits, or the error that rejects the call.
   */
  enter(caller: Caller): (() => void) | EctError | undefined {
    const obligations = this.#options.obligationsOf(caller);
    const { callsPerSecond, concurrentCalls } = obligations;
    if (callsPerSecond === undefined && concurrentCalls === undefined) return undefined;
    const use = this.#useOf(caller, obligations);
    if (concurrentCalls !== undefined && use.calls.open >= concurrentCalls)
      return tooMany('concurrent_calls', concurrentCalls, 1);
    const now = this.#options.nowMs();
    if (use.bucket?.take(now) === false) {
      return tooMany('calls_per_second', callsPerSecond ?? 0, Math.ceil(use.bucket.waitMs(now) / 1000));
    }
    const { calls } = use;
    calls.open++;
    return () => {
      calls.open--;
    };
  }

  /** Charges for further calls in one message. They are made now; later calls wait until the bucket is positive again. */
  charge(caller: Caller, calls: number): void {
    const obligations = this.#options.obligationsOf(caller);
    if (obligations.callsPerSecond === undefined) return;
    this.#useOf(caller, obligations).bucket?.charge(this.#options.nowMs(), calls);
  }

  #useOf(caller: Caller, obligations: Obligations): Use {
    const name = `${caller.kind} ${callerName(caller)}`;
    const known = this.#uses.get(name);
    // The operator may have changed the limits.
    if (known !== undefined && isSame(known.obligations, obligations)) return known;
    const { callsPerSecond: perSecond, burst = perSecond } = obligations;
    const bucket =
      perSecond === undefined || burst === undefined
        ? undefined
        : new TokenBucket({ burst, perSecond }, this.#options.nowMs());
    const use: Use = { obligations, bucket, calls: known?.calls ?? { open: 0 } };
    if (known === undefined && !this.#makeRoom()) {
      if (this.#shared === undefined || !isSame(this.#shared.obligations, obligations)) this.#shared = use;
      return this.#shared;
    }
    this.#uses.set(name, use);
    return use;
  }

  /**
   * Drops the oldest entry without open calls, if there are too many. Its caller starts again with a full bucket: a peer with so many names
   * gains no more by that than by another name, and a newcomer must not pay for the calls of others.
   */
  #makeRoom(): boolean {
    const { maxCallers } = this.#options;
    let looked = 0;
    for (const [name, use] of this.#uses) {
      if (this.#uses.size < maxCallers || looked++ === LOOKED_AT) break;
      this.#uses.delete(name);
      // Others may be older, but this one would be found again and again.
      if (use.calls.open > 0) this.#uses.set(name, use);
    }
    return this.#uses.size < maxCallers;
  }
}

function isSame(one: Obligations, other: Obligations): boolean {
  return (
    one.callsPerSecond === other.callsPerSecond &&
    one.burst === other.burst &&
    one.concurrentCalls === other.concurrentCalls
  );
}

const WORDS = { calls_per_second: 'calls per second', concurrent_calls: 'concurrent calls' } as const;

function tooMany(quota: keyof typeof WORDS, limit: number, seconds: number): EctError {
  return new EctError(
    reject('QUOTA_EXCEEDED', `This caller may make ${limit} ${WORDS[quota]}.`, {
      quota,
      limit: String(limit),
      retry_after_seconds: String(Math.max(1, seconds)),
    }),
  );
}
