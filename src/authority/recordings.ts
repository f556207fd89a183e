// Asynchronous L3: a token is returned as L2 once its pending recording is durable, and its entry is written afterwards. Any process
// that shares the pending recordings completes those that another process did not complete.

import { underDeadline } from '../concurrency/call-deadline.ts';
import { nextSlice } from '../concurrency/yielder.ts';
import { namesOf } from '../dag/index.ts';
import { EctError, type ErrorReason, type Rejection, reject } from '../errors.ts';
import type { Candidate, Ledger } from '../ledger/index.ts';
import { Listeners } from './listeners.ts';
import type { Notices } from './notices.ts';
import type { PendingRecording, PendingRecordings, PendingState, TaskName } from './pending-recordings.ts';

/** Lease of a pending recording. After it, another process completes the recordings of a process that died. */
const LEASE_MS = 3_000;
/** How often a process looks for pending recordings without a lease. */
const SWEEP_MS = 1_000;
/** Pending recordings that are completed together, in one commit. */
const TAKEN = 64;
/** Tokens that are verified before other calls are served. */
const READ_PER_SLICE = 8;
/** How long a failure of a recording is stored. */
const FAILURE_KEPT_MS = 7 * 24 * 3_600_000;

/** Reasons for which a recording stays pending: a key of another process, or a predecessor whose recording is pending too after a restore. */
const MAY_STILL_COME: ReadonlySet<ErrorReason> = new Set(['KEY_UNKNOWN', 'DAG_PREDECESSOR_MISSING']);
/** How long it stays pending for these, after it was stored. */
const COMES_WITHIN_SECONDS = 24 * 3_600;

/** Conditions that end by themselves or by an action of the operator. The recording stays pending until then. */
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
  /** The earliest plausible time, in seconds since the epoch. */
  readonly earliest: () => number;
  /** Verifies a pending recording that is not new in this process: a candidate for the ledger, or the rejection. */
  readonly reread: (recording: PendingRecording) => Promise<Candidate | Rejection>;
  /** See PolicyArchive: the policy that an entry names is stored before the entry. */
  readonly kept?: () => Promise<void> | undefined;
  readonly leaseMs?: number;
  readonly sweepMs?: number;
}

/** `open`: the outcome is not known yet. */
type Outcome = 'open' | { readonly failure: Rejection | undefined; readonly isNew: boolean };

export class Recordings {
  readonly #options: Required<RecordingsOptions>;
  readonly #running = new Set<Promise<unknown>>();
  readonly #listeners = new Listeners();
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: RecordingsOptions) {
    this.#options = { leaseMs: LEASE_MS, sweepMs: SWEEP_MS, kept: () => undefined, ...options };
  }

  /**
   * Accepts the recording of a token that is about to be returned. When the promise is fulfilled, the pending recording is durable. If it
   * is rejected, the token must not be returned: QUOTA_EXCEEDED if too many recordings are pending, DAG_DUPLICATE_TASK if another token
   * is pending under the same name. `onUnwritten` is called if the entry exists already, or is pending because of another call.
   */
  async add(
    recording: PendingRecording,
    candidate: Candidate,
    onUnwritten: () => void = () => undefined,
  ): Promise<void> {
    const { pendingRecordings, leaseMs } = this.#options;
    const outcome = await pendingRecordings.add(recording, leaseMs);
    // From here on the recording is durable: the entry will be written even if this process dies.
    if (outcome === 'added') {
      // The call ends before its entry is written.
      return this.#track(
        underDeadline(Number.POSITIVE_INFINITY, () => this.#carryOut(recording, candidate, onUnwritten)),
      );
    }
    if (outcome === 'duplicate') return onUnwritten();
    const message = `Another token waits under task ${recording.jti}.`;
    throw new EctError(reject('DAG_DUPLICATE_TASK', message, namesOf(recording)));
  }

  /** The state of the pending recording of a task; undefined if there was none, or it was completed. */
  find(task: TaskName): Promise<PendingState | undefined> {
    return this.#options.pendingRecordings.find(task);
  }

  /** Starts to look for pending recordings without a lease, at once and then periodically. */
  start(): void {
    this.#sweepIn(0);
  }

  /** Completes pending recordings without a lease. */
  async sweep(): Promise<void> {
    const { pendingRecordings, leaseMs } = this.#options;
    for (;;) {
      const taken = await pendingRecordings.take(TAKEN, leaseMs);
      const carried: Promise<Outcome>[] = [];
      for (const [at, recording] of taken.entries()) {
        if (at % READ_PER_SLICE === READ_PER_SLICE - 1) await nextSlice();
        carried.push(this.#carryOut(recording));
      }
      const outcomes = await Promise.all(carried);
      // While the ledger is unavailable, further reads are useless.
      if (this.#isStopped || taken.length < TAKEN || outcomes.includes('open')) return;
    }
  }

  /** Waits for the recordings that this process is completing. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Stops looking for recordings, and waits for those in progress. The others stay pending for the next process. */
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

  /** Never rejects. If the completion cannot be stored, the recording stays pending, and the next attempt finds its entry. */
  async #carryOut(
    recording: PendingRecording,
    candidate?: Candidate,
    onUnwritten: () => void = () => undefined,
  ): Promise<Outcome> {
    const outcome = await this.#outcome(recording, candidate);
    if (outcome === 'open') return outcome;
    const { pendingRecordings, notices } = this.#options;
    const { failure, isNew } = outcome;
    if (failure === undefined) {
      if (!isNew) onUnwritten();
      this.#listeners.wake(keyOf(recording));
    }
    try {
      await (failure === undefined
        ? pendingRecordings.done(recording)
        : pendingRecordings.failed(recording, failure, FAILURE_KEPT_MS));
    } catch {
      return 'open';
    }
    this.#listeners.wake(keyOf(recording));
    const { iss, wid, jti } = recording;
    if (failure?.reason === 'DAG_DUPLICATE_TASK') notices.equivocated({ iss, wid, jti }, 'ledger');
    notices.backgroundAppend({ iss, wid, jti }, failure?.reason);
    return outcome;
  }

  async #outcome(recording: PendingRecording, fresh: Candidate | undefined): Promise<Outcome> {
    const { ledger, reread, kept } = this.#options;
    try {
      const candidate = fresh ?? (await reread(recording));
      if ('reason' in candidate)
        return this.#mayStillCome(recording, candidate) ? 'open' : { failure: candidate, isNew: false };
      await kept();
      const { outcome } = await ledger.append(candidate);
      return { failure: outcome === 'conflict' ? takenBy(recording) : undefined, isNew: outcome === 'added' };
    } catch (error) {
      const rejection = error instanceof EctError ? error.rejection : reject('INTERNAL', 'The service failed.');
      return MAY_PASS.has(rejection.reason) ? 'open' : { failure: rejection, isNew: false };
    }
  }

  #mayStillCome({ requestedAt }: PendingRecording, { reason }: Rejection): boolean {
    return MAY_STILL_COME.has(reason) && this.#options.earliest() - requestedAt < COMES_WITHIN_SECONDS;
  }

  #sweepIn(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      // Calls that need the store report its failure. This loop tries again later.
      this.#sweeping = this.sweep()
        .catch(() => undefined)
        .then(() => {
          if (!this.#isStopped) this.#sweepIn(this.#options.sweepMs);
        });
    }, pauseMs);
    this.#timer.unref();
  }
}

/** Of a token that gets no entry, because its task is recorded with another one. */
export function takenBy(task: TaskName): Rejection {
  return reject('DAG_DUPLICATE_TASK', `Another token is recorded under task ${task.jti}.`, namesOf(task));
}

function keyOf({ wid, jti }: TaskName): string {
  return JSON.stringify([wid, jti]);
}
