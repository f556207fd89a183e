// When pages are moved from a write-ahead file into its main file. SQLite calls it a checkpoint; here that is the signed
// state of a ledger. It takes two syncs and thousands of small writes, tens of milliseconds, so a thread does it.

import { extname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { BackfillOrder, BackfillOutcome } from './backfill-thread.ts';
import { isBusy } from './failures.ts';

/**
 * Pages that wait before they are moved. 16 MiB: every commit touches the same few index pages, and to move them once for
 * many commits is cheaper.
 */
const BACKFILL_PAGES = 4_000;

/** Pages in a write-ahead file under continuous writes, after which writers are blocked so that it starts from the beginning. */
const WHOLE_PAGES = 16_000;

/** One for all files of the process, from the first time that one needs it. */
let thread: Worker | undefined;
const running = new Map<string, PromiseWithResolvers<void>>();
/** Why the last order for a file failed, as an error of the driver. */
const failures = new Map<string, Error>();

/** The pages of one open file. */
export class Backfill {
  readonly #file: string;
  readonly #state: StatementSync;
  readonly #onFailure: (error: Error) => void;

  /** `onFailure` is called for each order of this file that failed. */
  constructor(file: string, connection: DatabaseSync, onFailure: (error: Error) => void = () => undefined) {
    this.#file = file;
    this.#state = connection.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#onFailure = onFailure;
  }

  /** Whether the pages could not be moved when that was tried last. */
  get hasFailed(): boolean {
    return failures.has(this.#file);
  }

  /** Tries again what failed. Throws why it fails again. */
  async retry(): Promise<void> {
    await this.rest();
    if (!this.hasFailed) return;
    this.#order({ file: this.#file, isWhole: false });
    await this.rest();
    const failure = failures.get(this.#file);
    if (failure !== undefined) throw failure;
  }

  /** Has the pages moved if there are many. To be asked after a commit: it takes two microseconds. */
  consider(): void {
    if (running.has(this.#file)) return;
    try {
      const { log, checkpointed } = this.#state.get() as { log: number; checkpointed: number };
      if (log - checkpointed >= BACKFILL_PAGES) this.#order({ file: this.#file, isWhole: log >= WHOLE_PAGES });
    } catch {
      // The commit stands whatever became of this question; the next commit asks it again.
    }
  }

  /** Waits until nothing is being moved. Meanwhile the thread keeps the process alive: it may be the last thing that does. */
  async rest(): Promise<void> {
    const moving = running.get(this.#file);
    if (moving === undefined) return;
    thread?.ref();
    await moving.promise;
    if (running.size === 0) thread?.unref();
  }

  #order(what: BackfillOrder): void {
    const moving = Promise.withResolvers<void>();
    running.set(what.file, moving);
    thread ??= startThread();
    thread.postMessage(what);
    void moving.promise.then(() => {
      const failure = failures.get(this.#file);
      if (failure !== undefined) this.#onFailure(failure);
    });
  }
}

function startThread(): Worker {
  const started = new Worker(new URL(`backfill-thread${extname(import.meta.url)}`, import.meta.url));
  started.on('message', done);
  // Without a thread a commit moves the pages itself, later; the next order starts another thread.
  started.on('error', () => undefined);
  started.on('exit', () => {
    thread = undefined;
    for (const file of running.keys()) done({ file });
  });
  started.unref();
  return started;
}

function done({ file, failure }: BackfillOutcome): void {
  const error = failure && Object.assign(new Error(failure.message), { code: 'ERR_SQLITE_ERROR', ...failure });
  // The holder of the lock releases it.
  if (error === undefined || isBusy(error)) failures.delete(file);
  else failures.set(file, error);
  running.get(file)?.resolve();
  running.delete(file);
}
