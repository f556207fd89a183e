// Asynchronous L3: a token leaves as L2, and its entry follows. What became of an entry is kept for those who ask; the
// tables are of this process alone, and a crash forgets what waits: then the token stays L2 until somebody appends it.

import { setTimeout as pause } from 'node:timers/promises';
import { underDeadline } from '../call-deadline.ts';
import { EctError, type ErrorReason, type Refusal, refuse } from '../errors.ts';
import type { Candidate, Ledger } from '../ledger/index.ts';
import type { Notices } from './notices.ts';

/** Entries that may wait. Over that no further token leaves. */
const MAX_PENDING = 10_000;
/** Failures that are remembered; older ones are forgotten. */
const MAX_FAILED = 10_000;
/** Pauses between attempts: about half a minute in all, long enough for a restart of what is beneath. */
const PAUSES_MS: readonly number[] = [50, 200, 1_000, 5_000, 20_000];

/** What comes to an end by itself, or by an operator. */
const MAY_PASS: ReadonlySet<ErrorReason> = new Set(['LEDGER_UNAVAILABLE', 'STORAGE_FULL', 'CLOCK_UNTRUSTED']);

export interface BackgroundAppendsOptions {
  readonly ledger: Ledger;
  readonly notices: Notices;
  readonly pausesMs?: readonly number[];
  readonly maxPending?: number;
  readonly maxFailed?: number;
}

interface Outcome {
  readonly failure: ErrorReason | undefined;
  /** Whether it may have been written all the same. */
  readonly isOpen: boolean;
  /** Whether this append wrote it. */
  readonly isNew: boolean;
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
   * too many wait, DAG_DUPLICATE_TASK if another token waits under the same name. `onUnwritten` is called if nothing comes to
   * be written for this call.
   */
  add(candidate: Candidate, onUnwritten: () => void = () => undefined): void {
    const { scope, name, digest } = candidate;
    const key = keyOf(scope, name);
    const waiting = this.#pending.get(key);
    if (waiting !== undefined) {
      onUnwritten();
      // A retry under an idempotency key.
      if (Buffer.compare(waiting.digest, digest) === 0) return;
      throw new EctError(refuse('DAG_DUPLICATE_TASK', `Another token waits under task ${name}.`, { jti: name }));
    }
    if (this.#pending.size >= this.#options.maxPending) {
      onUnwritten();
      throw new EctError(refuse('SERVICE_OVERLOADED', 'Too many entries wait for the ledger.'));
    }
    this.#failed.delete(key);
    // The call ends before its entry is written.
    const done = underDeadline(Number.POSITIVE_INFINITY, () => this.#append(key, candidate, onUnwritten));
    this.#pending.set(key, { digest, done });
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

  async #append(key: string, candidate: Candidate, onUnwritten: () => void): Promise<void> {
    const { failure, isOpen, isNew } = await this.#outcome(candidate);
    this.#pending.delete(key);
    if (!isNew && !isOpen) onUnwritten();
    if (failure !== undefined) this.#rememberFailure(key, failure);
    const { scope: wid, name: jti, author: iss } = candidate;
    if (failure === 'DAG_DUPLICATE_TASK') this.#options.notices.equivocated({ iss, wid, jti }, 'ledger');
    this.#options.notices.backgroundAppend({ iss, wid, jti }, failure);
  }

  /** What became of it: no failure once the entry is durable; otherwise why it never will be, as far as that is known. */
  async #outcome(candidate: Candidate): Promise<Outcome> {
    const { ledger, pausesMs } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        const { outcome } = await ledger.append(candidate);
        const failure = outcome === 'conflict' ? 'DAG_DUPLICATE_TASK' : undefined;
        return { failure, isOpen: false, isNew: outcome === 'added' };
      } catch (error) {
        const reason = error instanceof EctError ? error.reason : 'INTERNAL';
        const wait = pausesMs[attempt];
        if (!MAY_PASS.has(reason) || wait === undefined) {
          return { failure: reason, isOpen: reason === 'LEDGER_UNAVAILABLE' || reason === 'INTERNAL', isNew: false };
        }
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
