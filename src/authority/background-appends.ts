// Asynchronous L3: a token leaves as L2, and its entry follows. What became of an entry is kept for those who ask; the
// tables are of this process alone, and a crash forgets what waits: then the token stays L2 until somebody appends it.

import { setTimeout as pause } from 'node:timers/promises';
import { EctError, type ErrorReason, type Refusal, refuse } from '../errors.ts';
import type { Candidate, Ledger } from '../ledger/index.ts';
import type { Notices } from './notices.ts';

/** Entries that may wait. Over that no further token leaves. */
const MAX_PENDING = 10_000;
/** Failures that are remembered; older ones are forgotten. */
const MAX_FAILED = 10_000;
/** Pauses between attempts: about half a minute in all, long enough for a restart of what is beneath. */
const PAUSES_MS: readonly number[] = [50, 200, 1_000, 5_000, 20_000];

export interface BackgroundAppendsOptions {
  readonly ledger: Ledger;
  readonly notices: Notices;
  readonly pausesMs?: readonly number[];
  readonly maxPending?: number;
  readonly maxFailed?: number;
}

export class BackgroundAppends {
  readonly #options: Required<BackgroundAppendsOptions>;
  readonly #pending = new Map<string, { readonly digest: Uint8Array; readonly done: Promise<void> }>();
  readonly #failed = new Map<string, ErrorReason>();
  readonly #draining = new AbortController();

  constructor(options: BackgroundAppendsOptions) {
    this.#options = { pausesMs: PAUSES_MS, maxPending: MAX_PENDING, maxFailed: MAX_FAILED, ...options };
  }

  /**
   * Takes over the append of a token that is about to leave. It must not leave where this refuses: SERVICE_OVERLOADED if
   * too many wait, DAG_DUPLICATE_TASK if another token waits under the same name.
   */
  add(candidate: Candidate): void {
    const { scope, name, digest } = candidate;
    const key = keyOf(scope, name);
    const waiting = this.#pending.get(key);
    if (waiting !== undefined) {
      // A retry under an idempotency key.
      if (Buffer.compare(waiting.digest, digest) === 0) return;
      throw new EctError(refuse('DAG_DUPLICATE_TASK', `Another token waits under task ${name}.`, { jti: name }));
    }
    if (this.#pending.size >= this.#options.maxPending) {
      throw new EctError(refuse('SERVICE_OVERLOADED', 'Too many entries wait for the ledger.'));
    }
    this.#failed.delete(key);
    this.#pending.set(key, { digest, done: this.#append(key, candidate) });
  }

  /** What is known here of a task that the ledger does not hold. */
  stateOf(wid: string, jti: string): Refusal | undefined {
    const key = keyOf(wid, jti);
    if (this.#pending.has(key)) return refuse('ENTRY_PENDING', 'The entry is on its way into the ledger.');
    const cause = this.#failed.get(key);
    return cause && refuse('ENTRY_FAILED', `The ledger refused the entry for good: ${cause}.`, { cause });
  }

  /** Waits until nothing waits any more. From now on attempts follow each other without a pause. */
  async drain(): Promise<void> {
    this.#draining.abort();
    while (this.#pending.size > 0) await Promise.all([...this.#pending.values()].map(({ done }) => done));
  }

  async #append(key: string, candidate: Candidate): Promise<void> {
    const failure = await this.#outcome(candidate);
    this.#pending.delete(key);
    if (failure !== undefined) this.#rememberFailure(key, failure);
    const { scope: wid, name: jti, author: iss } = candidate;
    if (failure === 'DAG_DUPLICATE_TASK') this.#options.notices.equivocated({ iss, wid, jti }, 'ledger');
    this.#options.notices.backgroundAppend({ iss, wid, jti }, failure);
  }

  /** Undefined once the entry is durable; otherwise why it never will be. */
  async #outcome(candidate: Candidate): Promise<ErrorReason | undefined> {
    const { ledger, pausesMs } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        const { outcome } = await ledger.append(candidate);
        return outcome === 'conflict' ? 'DAG_DUPLICATE_TASK' : undefined;
      } catch (error) {
        const reason = error instanceof EctError ? error.reason : 'INTERNAL';
        const wait = pausesMs[attempt];
        if (reason !== 'LEDGER_UNAVAILABLE' || wait === undefined) return reason;
        await pause(wait, undefined, { signal: this.#draining.signal }).catch(() => undefined);
      }
    }
  }

  #rememberFailure(key: string, reason: ErrorReason): void {
    this.#failed.set(key, reason);
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > this.#options.maxFailed && oldest !== undefined) this.#failed.delete(oldest);
  }
}

function keyOf(wid: string, jti: string): string {
  return JSON.stringify([wid, jti]);
}
