// Asynchronous L3: a token leaves as L2 once the order to record it is durable, and its entry follows. Any process that shares
// the pending recordings completes those that another one has left.

import { underDeadline } from '../concurrency/call-deadline.ts';
import { nextSlice } from '../concurrency/yielder.ts';
import { EctError, type ErrorReason, type Rejection, reject } from '../errors.ts';
import type { Candidate, Ledger } from '../ledger/index.ts';
import { Listeners } from './listeners.ts';
import type { Notices } from './notices.ts';
import type { PendingRecording, PendingRecordings, PendingState, TaskName } from './pending-recordings.ts';

/** For how long a process has an order to itself. What a process that died had is taken up after this. */
const LEASE_MS = 3_000;
/** How often a process looks for pending recordings without a lease. */
const SWEEP_MS = 1_000;
/** Orders that are taken up together: they share a commit. */
const TAKEN = 64;
/** Tokens that are verified before other calls are served. */
const READ_PER_SLICE = 8;
/** For how long it is told why there is no entry. */
const FAILURE_KEPT_MS = 7 * 24 * 3_600_000;

/** What an order waits for: a key that another process has made, a predecessor that a restored ledger lacks and whose order is open too. */
const MAY_STILL_COME: ReadonlySet<ErrorReason> = new Set(['KEY_UNKNOWN', 'DAG_PREDECESSOR_MISSING']);
/** And for how long, after it was placed. */
const COMES_WITHIN_SECONDS = 24 * 3_600;

/** What comes to an end by itself, or by an operator. The order stays open for as long. */
const MAY_PASS: ReadonlySet<ErrorReason> = new Set([
  'LEDGER_UNAVAILABLE',
  'LEDGER_CORRUPT',
  'STORAGE_FULL',
  'CLOCK_UNTRUSTED',
  'ISSUER_KEYS_UNAVAILABLE',
]);

export interface RecordingsOptions {
  readonly pendingRecordings: PendingRecordings;
  readonly ledger: Ledger;
  readonly notices: Notices;
  /** The earliest time that it can be, in seconds since the epoch. */
  readonly earliest: () => number;
  /** What an order comes to that is not fresh from this process: a candidate, or why the ledger does not take it. */
  readonly reread: (order: PendingRecording) => Promise<Candidate | Rejection>;
  readonly leaseMs?: number;
  readonly sweepMs?: number;
}

/** `open`: nobody knows yet. */
type Outcome = 'open' | { readonly failure: Rejection | undefined; readonly isNew: boolean };

export class Recordings {
  readonly #options: Required<RecordingsOptions>;
  readonly #running = new Set<Promise<unknown>>();
  readonly #listeners = new Listeners();
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: RecordingsOptions) {
    this.#options = { leaseMs: LEASE_MS, sweepMs: SWEEP_MS, ...options };
  }

  /**
   * Takes over the recording of a token that is about to leave: when this answers, the order is durable. The token must not leave
   * where it rejects: QUOTA_EXCEEDED if too many wait, DAG_DUPLICATE_TASK if another token waits under the same name.
   * `onUnwritten` is called where the entry was there already, or another call has ordered it.
   */
  async order(order: PendingRecording, candidate: Candidate, onUnwritten: () => void = () => undefined): Promise<void> {
    const { pendingRecordings, leaseMs } = this.#options;
    const placement = await pendingRecordings.place(order, leaseMs);
    // From here on the entry will follow, whatever becomes of this process.
    if (placement === 'placed') {
      // The call ends before its entry is written.
      return this.#track(underDeadline(Number.POSITIVE_INFINITY, () => this.#carryOut(order, candidate, onUnwritten)));
    }
    if (placement === 'waiting') return onUnwritten();
    const { jti } = order;
    throw new EctError(reject('DAG_DUPLICATE_TASK', `Another token waits under task ${jti}.`, { jti }));
  }

  /** What is known of the order for a task; undefined where there was none, or it was carried out. */
  find(task: TaskName): Promise<PendingState | undefined> {
    return this.#options.pendingRecordings.find(task);
  }

  /** Begins to look for pending recordings without a lease, now and then periodically. */
  start(): void {
    this.#sweepIn(0);
  }

  /** Carries out what nobody has in hand now. */
  async sweep(): Promise<void> {
    const { pendingRecordings, leaseMs } = this.#options;
    for (;;) {
      const taken = await pendingRecordings.take(TAKEN, leaseMs);
      const carried: Promise<Outcome>[] = [];
      for (const [at, order] of taken.entries()) {
        if (at % READ_PER_SLICE === READ_PER_SLICE - 1) await nextSlice();
        carried.push(this.#carryOut(order));
      }
      const outcomes = await Promise.all(carried);
      // While the ledger does not answer there is no use in asking for more.
      if (this.#isStopped || taken.length < TAKEN || outcomes.includes('open')) return;
    }
  }

  /** Waits for what this process is carrying out. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Looks for nothing more, and waits for what is being carried out. What is open then stays for the next process. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
    await this.drain();
  }

  /** Waits until the pending recording of the task is completed in this process, and no longer than `ms` or the signal. */
  changed(task: TaskName, ms: number, signal: AbortSignal): Promise<void> {
    return this.#listeners.wait(keyOf(task), ms, signal);
  }

  #track(work: Promise<unknown>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  /** Never rejects. An order whose end could not be written stays open: the next one finds its entry. */
  async #carryOut(
    order: PendingRecording,
    candidate?: Candidate,
    onUnwritten: () => void = () => undefined,
  ): Promise<Outcome> {
    const outcome = await this.#outcome(order, candidate);
    if (outcome === 'open') return outcome;
    const { pendingRecordings, notices } = this.#options;
    const { failure, isNew } = outcome;
    if (failure === undefined) {
      if (!isNew) onUnwritten();
      this.#listeners.wake(keyOf(order));
    }
    try {
      await (failure === undefined
        ? pendingRecordings.done(order)
        : pendingRecordings.failed(order, failure, FAILURE_KEPT_MS));
    } catch {
      return 'open';
    }
    this.#listeners.wake(keyOf(order));
    const { iss, wid, jti } = order;
    if (failure?.reason === 'DAG_DUPLICATE_TASK') notices.equivocated({ iss, wid, jti }, 'ledger');
    notices.backgroundAppend({ iss, wid, jti }, failure?.reason);
    return outcome;
  }

  async #outcome(order: PendingRecording, fresh: Candidate | undefined): Promise<Outcome> {
    const { ledger, reread } = this.#options;
    try {
      const candidate = fresh ?? (await reread(order));
      if ('reason' in candidate)
        return this.#mayStillCome(order, candidate) ? 'open' : { failure: candidate, isNew: false };
      const { outcome } = await ledger.append(candidate);
      return { failure: outcome === 'conflict' ? takenBy(order) : undefined, isNew: outcome === 'added' };
    } catch (error) {
      const rejection = error instanceof EctError ? error.rejection : reject('INTERNAL', 'The service failed.');
      return MAY_PASS.has(rejection.reason) ? 'open' : { failure: rejection, isNew: false };
    }
  }

  #mayStillCome({ orderedAt }: PendingRecording, { reason }: Rejection): boolean {
    return MAY_STILL_COME.has(reason) && this.#options.earliest() - orderedAt < COMES_WITHIN_SECONDS;
  }

  #sweepIn(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      // A store that fails is told by the calls that need it. Here it can wait.
      this.#sweeping = this.sweep()
        .catch(() => undefined)
        .then(() => {
          if (!this.#isStopped) this.#sweepIn(this.#options.sweepMs);
        });
    }, pauseMs);
    this.#timer.unref();
  }
}

function takenBy({ jti }: TaskName): Rejection {
  return reject('DAG_DUPLICATE_TASK', `Another token is recorded under task ${jti}.`, { jti });
}

function keyOf({ wid, jti }: TaskName): string {
  return JSON.stringify([wid, jti]);
}
