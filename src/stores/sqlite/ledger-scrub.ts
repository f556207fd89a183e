// Runs the scrub of a ledger and of `once.db` in a thread, and receives its results.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Damage } from './ledger-examiner.ts';
import type { FromScrub, ScrubbedFile, ScrubOptions, ToScrub } from './scrub-thread.ts';

/** Called for the progress of the scrub. Must not throw. */
export interface ScrubWatch {
  examined(entries: number): void;
  damaged(file: ScrubbedFile, damage: Damage): void;
  /** A pass over the whole file has ended. `isSound`: it found no fault, and none was reported since it began. */
  passed(file: ScrubbedFile, entries: number, isSound: boolean): void;
  /** The file could not be read, or the thread ended: it is tried again. */
  failed(cause: unknown): void;
}

/** How much faster a damaged ledger is scrubbed, because it can be written again only after a pass without faults. */
const TIMES_FASTER = 10;
const STARTS_AGAIN_MS = 10_000;

/** Runs until it is stopped. */
export class LedgerScrub {
  readonly #options: ScrubOptions;
  readonly #watch: ScrubWatch;
  #thread: Worker;
  #round = 0;
  #isHurried = false;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: ScrubOptions, watch: ScrubWatch) {
    this.#options = options;
    this.#watch = watch;
    this.#thread = this.#start();
  }

  /** Damage is known: restarts the scrub at a higher speed, to find out whether it is gone. */
  hurry(): void {
    this.#isHurried = true;
    this.#beginRound(true);
  }

  /** A fault was found elsewhere, which the current pass may have missed: the pass does not count. */
  distrust(): void {
    this.#beginRound(false);
  }

  /** Passes without faults have shown that the damage is gone. */
  calm(): void {
    if (!this.#isHurried) return;
    this.#isHurried = false;
    this.#beginRound(false);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const ended = new Promise((resolve) => this.#thread.once('exit', resolve));
    if (this.#thread.threadId === -1) return;
    this.#thread.ref();
    this.#send({ kind: 'stop' });
    await ended;
  }

  #start(): Worker {
    const thread = new Worker(new URL(`scrub-thread${extname(import.meta.url)}`, import.meta.url), {
      workerData: this.#options,
      // The thread creates only short-lived objects.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    thread.on('message', (message: FromScrub) => this.#hear(message));
    thread.on('error', (cause) => this.#watch.failed(cause));
    thread.on('exit', () => {
      if (this.#isStopped) return;
      this.#timer = setTimeout(() => {
        this.#thread = this.#start();
        if (this.#round > 0) this.#beginRound(true);
      }, STARTS_AGAIN_MS).unref();
    });
    thread.unref();
    return thread;
  }

  #hear(message: FromScrub): void {
    if (message.kind === 'examined') this.#watch.examined(message.entries);
    else if (message.kind === 'failed') this.#watch.failed(new Error(message.message));
    else if (message.kind === 'damage')
      this.#watch.damaged(message.file, { index: message.index, fault: message.fault });
    else {
      const isSound = message.isSound && message.round === this.#round;
      this.#watch.passed(message.file, message.entries, isSound);
    }
  }

  #beginRound(isAtOnce: boolean): void {
    this.#round++;
    const entriesPerSecond = this.#options.entriesPerSecond * (this.#isHurried ? TIMES_FASTER : 1);
    this.#send({ kind: 'round', round: this.#round, entriesPerSecond, isAtOnce });
  }

  #send(message: ToScrub): void {
    this.#thread.postMessage(message);
  }
}
