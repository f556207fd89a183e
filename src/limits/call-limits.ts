// How many calls a caller may make: a rate, and so many at once, where the operator limits it. Each process counts for itself.

import { type Caller, callerName, type Obligations } from '../authority/index.ts';
import { EctError, reject } from '../errors.ts';
import { TokenBucket } from './token-bucket.ts';

export interface CallLimitsOptions {
  readonly obligationsOf: (caller: Caller) => Obligations;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Callers that are counted; one with nothing open and nothing used up is not kept. */
  readonly maxCallers?: number;
}

/** What a caller has used. */
interface Use {
  /** As the limits were when it was made. */
  readonly obligations: Obligations;
  readonly bucket: TokenBucket | undefined;
  /** Stays the same when the limits change. */
  readonly calls: { open: number };
}

const MAX_CALLERS = 10_000;
/** How many of the oldest are looked at to make room for another. */
const LOOKED_AT = 16;

export class CallLimits {
  readonly #options: Required<CallLimitsOptions>;
  /** The one that came first in front. */
  readonly #uses = new Map<string, Use>();
  /** Of callers for which there was no room: they share it. */
  #shared: Use | undefined;

  constructor(options: CallLimitsOptions) {
    this.#options = { maxCallers: MAX_CALLERS, ...options };
  }

  /** Counts a call that begins. Returns what is to be called when it ends, where that counts; or why it may not be made. */
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

  /** So many further calls were in one message. They are made, and paid for by those that follow. */
  charge(caller: Caller, calls: number): void {
    const obligations = this.#options.obligationsOf(caller);
    if (obligations.callsPerSecond === undefined) return;
    this.#useOf(caller, obligations).bucket?.charge(this.#options.nowMs(), calls);
  }

  #useOf(caller: Caller, obligations: Obligations): Use {
    const name = `${caller.kind} ${callerName(caller)}`;
    const known = this.#uses.get(name);
    // The operator may have changed the limits meanwhile.
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

  /** Whether there is room for one more. A caller that has used something up is never forgotten: it would begin anew. */
  #makeRoom(): boolean {
    const { maxCallers, nowMs } = this.#options;
    if (this.#uses.size < maxCallers) return true;
    let looked = 0;
    for (const [name, { bucket, calls }] of this.#uses) {
      if (looked++ === LOOKED_AT) break;
      if (calls.open === 0 && bucket?.isFull(nowMs()) !== false) this.#uses.delete(name);
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
