// The scrub of a ledger, and of what is remembered once, seen from the service: what its thread has examined and found.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Damage } from './ledger-examiner.ts';
import type { FromScrub, ScrubbedFile, ScrubOptions, ToScrub } from './scrub-thread.ts';

/** Called for what the scrub does. Must not throw. */
export interface ScrubWatch {
  examined(entries: number): void;
  damaged(file: ScrubbedFile, damage: Damage): void;
  /** A pass over the whole file has ended. `isSound`: it found nothing, and nothing was reported since it began. */
  passed(file: ScrubbedFile, entries: number, isSound: boolean): void;
  /** The file could not be read, or the thread ended: it is tried again. */
  failed(cause: unknown): void;
}

/** How much faster a damaged ledger is read: whether it can be written again depends on it. */
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

  /** Damage is known: passes that begin now, faster ones, can show that it is gone. */
  hurry(): void {
    this.#isHurried = true;
    this.#beginRound(true);
  }

  /** Something was found that the pass of now may have gone past: it shows nothing. */
  distrust(): void {
    this.#beginRound(false);
  }

  /** Passes have shown that nothing is wrong any more. */
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
      // It makes short-lived objects only.
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
