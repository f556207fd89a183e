// Group commit: a commit costs one sync of the disk whatever its size, so concurrent appends share one.

import { answeredBy, deadlineMs, underDeadline } from '../concurrency/call-deadline.ts';
import { OwnContext } from '../concurrency/own-context.ts';
import { endedBy } from '../concurrency/yielder.ts';
import { EctError, reject } from '../errors.ts';
import type { Candidate } from './store.ts';

/** A candidate without a result. */
export interface Waiting<Outcome> {
  readonly candidate: Candidate;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

/** Settles every candidate. They are in the order of their arrival, and may have the same name. */
export type CommitBatch<Outcome> = (batch: readonly Waiting<Outcome>[]) => Promise<void>;

interface Queued<Outcome> extends Waiting<Outcome> {
  readonly signal: AbortSignal | undefined;
  /** The deadline of its caller; see call-deadline.ts. */
  readonly answerByMs: number;
}

/**
 * How long a commit waits for as many candidates as there are active callers, in milliseconds. A single caller never waits; under load a
 * commit has tens of entries instead of two or three.
 */
const GATHER_MS = 2;

/**
 * How many turns of the event loop a commit waits beyond that, each only if the previous one brought candidates: then this process is
 * busy with calls, and committing for half of them would cost more than their wait.
 */
const GATHER_TURNS = 32;

/** A queue in front of one committer: commits run one after another. */
export class AppendQueue<Outcome> {
  /** A commit is work for many calls, so it runs in the async context of none of them. */
  readonly #context = new OwnContext();
  readonly #commit: CommitBatch<Outcome>;
  readonly #maxBatch: number;
  #queue: Queued<Outcome>[] = [];
  #running: Promise<void> | undefined;
  /** Called when as many candidates wait as are expected. */
  #gathered: { readonly size: number; readonly end: () => void } | undefined;

  constructor(commit: CommitBatch<Outcome>, maxBatch: number) {
    if (!Number.isSafeInteger(maxBatch) || maxBatch < 1) throw new TypeError('maxBatch must be a whole number from 1');
    this.#commit = commit;
    this.#maxBatch = maxBatch;
  }

  /**
   * Queues a candidate. If the signal has aborted when the candidate would be passed to the committer, it is withdrawn; after that the
   * result stands. LEDGER_UNAVAILABLE, with an unknown outcome, if the deadline of the call comes first.
   */
  add(candidate: Candidate, signal?: AbortSignal): Promise<Outcome> {
    if (signal?.aborted) return Promise.reject(endedBy(signal));
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const answerByMs = deadlineMs();
    this.#queue.push({ candidate, resolve, reject, signal, answerByMs });
    if (this.#gathered !== undefined && this.#queue.length >= this.#gathered.size) this.#gathered.end();
    this.#running ??= this.#context.runInAsyncScope(() => this.#run());
    return answeredBy(answerByMs, promise, tooLate);
  }

  /** Waits until the queue is empty and no commit runs. */
  async drain(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // Waits one turn of the event loop, so that candidates of the same turn share a commit.
    for (await nextTurn(); this.#queue.length > 0; await nextTurn()) {
      const batch = this.#take();
      if (batch.length === 0) continue;
      try {
        // First come, first served.
        const untilMs = batch.reduce((latest, { answerByMs }) => Math.max(latest, answerByMs), 0);
        await underDeadline(untilMs, () => this.#commit(batch));
      } catch (error) {
        // Settled promises keep their result.
        for (const queued of batch) queued.reject(error);
      }
      // Callers with a result will probably append again, and join those that arrived meanwhile.
      await nextTurn();
      if (batch.length > 1) await this.#gather(Math.min(batch.length + this.#queue.length, this.#maxBatch));
    }
    this.#running = undefined;
  }

  #take(): readonly Queued<Outcome>[] {
    const batch: Queued<Outcome>[] = [];
    let taken = 0;
    for (const queued of this.#queue) {
      if (batch.length === this.#maxBatch) break;
      taken++;
      // The signal is polled, because a listener would cost more than the rest of the queue.
      if (queued.signal?.aborted) queued.reject(endedBy(queued.signal));
      else batch.push(queued);
    }
    this.#queue = this.#queue.slice(taken);
    return batch;
  }

  /** Waits until `size` candidates wait, for a limited time, or while more arrive. */
  async #gather(size: number): Promise<void> {
    await this.#moment(size);
    let before = -1;
    for (let turn = 0; turn < GATHER_TURNS && before < this.#queue.length && this.#queue.length < size; turn++) {
      before = this.#queue.length;
      await nextTurn();
    }
  }

  #moment(size: number): Promise<void> {
    if (this.#queue.length >= size) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#gathered = undefined;
        resolve();
      };
      const timer = setTimeout(end, GATHER_MS);
      this.#gathered = { size, end };
    });
  }
}

function tooLate(): EctError {
  return new EctError(reject('LEDGER_UNAVAILABLE', 'The ledger did not answer in time: the outcome is open.'));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
