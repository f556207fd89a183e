// Group commit: a commit costs one sync of the disk whatever it holds, so those who ask at about the same time share one.

import { answeredBy, deadlineMs, underDeadline } from '../concurrency/call-deadline.ts';
import { OwnContext } from '../concurrency/own-context.ts';
import { endedBy } from '../concurrency/yielder.ts';
import { EctError, reject } from '../errors.ts';
import type { Candidate } from './store.ts';

/** A candidate whose fate is open. */
export interface Waiting<Outcome> {
  readonly candidate: Candidate;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

/** Settles every one of the candidates. They are in the order in which they came, and may name the same entry. */
export type CommitBatch<Outcome> = (batch: readonly Waiting<Outcome>[]) => Promise<void>;

interface Queued<Outcome> extends Waiting<Outcome> {
  readonly signal: AbortSignal | undefined;
  /** By when its caller must be answered; see call-deadline.ts. */
  readonly answerByMs: number;
}

/**
 * How long a commit waits for as many candidates as there are callers about, in milliseconds. A caller that is alone is
 * never kept waiting; under load a commit holds tens of entries instead of two or three.
 */
const GATHER_MS = 2;

/**
 * Turns of the event loop that a commit waits beyond that, each only if the one before brought candidates: then this
 * process is busy with calls, and to commit for half of them would cost it more than they wait.
 */
const GATHER_TURNS = 32;

/** A queue in front of one committer: commits follow each other, they never overlap. */
export class AppendQueue<Outcome> {
  /** A commit is work for many calls: it runs in the async context of none of them. */
  readonly #context = new OwnContext();
  readonly #commit: CommitBatch<Outcome>;
  readonly #maxBatch: number;
  #queue: Queued<Outcome>[] = [];
  #running: Promise<void> | undefined;
  /** Called when as many wait as are being waited for. */
  #gathered: { readonly size: number; readonly tell: () => void } | undefined;

  constructor(commit: CommitBatch<Outcome>, maxBatch: number) {
    if (!Number.isSafeInteger(maxBatch) || maxBatch < 1) throw new TypeError('maxBatch must be a whole number from 1');
    this.#commit = commit;
    this.#maxBatch = maxBatch;
  }

  /**
   * Queues a candidate. A signal that has aborted when the candidate would be handed to the committer withdraws it; from
   * then on the outcome stands, and is answered whatever the signal does. LEDGER_UNAVAILABLE, with the outcome open, where the
   * deadline of the call comes first.
   */
  add(candidate: Candidate, signal?: AbortSignal): Promise<Outcome> {
    if (signal?.aborted) return Promise.reject(endedBy(signal));
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const answerByMs = deadlineMs();
    this.#queue.push({ candidate, resolve, reject, signal, answerByMs });
    if (this.#gathered !== undefined && this.#queue.length >= this.#gathered.size) this.#gathered.tell();
    this.#running ??= this.#context.runInAsyncScope(() => this.#run());
    return answeredBy(answerByMs, promise, tooLate);
  }

  /** Waits until nothing waits and nothing is being committed. */
  async drain(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // One turn of the event loop, so that all who were woken together are gathered.
    for (await nextTurn(); this.#queue.length > 0; await nextTurn()) {
      const batch = this.#take();
      if (batch.length === 0) continue;
      try {
        // Those who ask for the longest are served.
        const untilMs = batch.reduce((latest, { answerByMs }) => Math.max(latest, answerByMs), 0);
        await underDeadline(untilMs, () => this.#commit(batch));
      } catch (error) {
        // Promises that are settled already keep their outcome.
        for (const queued of batch) queued.reject(error);
      }
      // Those who were answered are likely to ask again, and so join those who came meanwhile.
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
      // Asked here rather than listened for: a listener costs more than all the rest of the queue.
      if (queued.signal?.aborted) queued.reject(endedBy(queued.signal));
      else batch.push(queued);
    }
    this.#queue = this.#queue.slice(taken);
    return batch;
  }

  /** Waits until `size` candidates wait, or for a moment, or while they keep coming. */
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
      const tell = () => {
        clearTimeout(timer);
        this.#gathered = undefined;
        resolve();
      };
      const timer = setTimeout(tell, GATHER_MS);
      this.#gathered = { size, tell };
    });
  }
}

function tooLate(): EctError {
  return new EctError(reject('LEDGER_UNAVAILABLE', 'The ledger did not answer in time: the outcome is open.'));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
