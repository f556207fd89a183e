// Decides when pages are moved from a write-ahead file into its main file. SQLite calls this a checkpoint; here a checkpoint is the
// signed state of a ledger. It takes two fsyncs and thousands of small writes, tens of milliseconds, so a thread does it.

import { extname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { BackfillOutcome, BackfillRequest } from './backfill-thread.ts';
import { isBusy } from './failures.ts';

/**
 * Pages that wait before they are moved: 16 MiB. Each commit changes the same few index pages, so moving them once for many commits is
 * cheaper.
 */
const BACKFILL_PAGES = 4_000;

/** Pages in a write-ahead file under continuous writes, after which writers are blocked so that it starts from the beginning. */
const WHOLE_PAGES = 16_000;

/** One thread for all files of the process, started when it is first needed. */
let thread: Worker | undefined;
const running = new Map<string, PromiseWithResolvers<void>>();
/** Why the last request for a file failed, as an error of the driver. */
const failures = new Map<string, Error>();

/** The write-ahead file of one open database. */
export class Backfill {
  readonly #file: string;
  readonly #state: StatementSync;
  readonly #onFailure: (error: Error) => void;

  /** `onFailure` is called for each failed request of this file. */
  constructor(file: string, connection: DatabaseSync, onFailure: (error: Error) => void = () => undefined) {
    this.#file = file;
    this.#state = connection.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#onFailure = onFailure;
  }

  /** Whether the last attempt failed. */
  get hasFailed(): boolean {
    return failures.has(this.#file);
  }

  /** Tries again after a failure. Throws if it fails again. */
  async retry(): Promise<void> {
    await this.rest();
    if (!this.hasFailed) return;
    this.#start({ file: this.#file, isWhole: false });
    await this.rest();
    const failure = failures.get(this.#file);
    if (failure !== undefined) throw failure;
  }

  /** Moves the pages if there are many. Called after each commit: it takes two microseconds. */
  consider(): void {
    if (running.has(this.#file)) return;
    try {
      const { log, checkpointed } = this.#state.get() as { log: number; checkpointed: number };
      if (log - checkpointed >= BACKFILL_PAGES) this.#start({ file: this.#file, isWhole: log >= WHOLE_PAGES });
    } catch {
      // The commit is complete; the next one tries again.
    }
  }

  /** Waits until no pages are being moved. Meanwhile the thread keeps the process alive. */
  async rest(): Promise<void> {
    const moving = running.get(this.#file);
    if (moving === undefined) return;
    thread?.ref();
    await moving.promise;
    if (running.size === 0) thread?.unref();
  }

  #start(request: BackfillRequest): void {
    const moving = Promise.withResolvers<void>();
    running.set(request.file, moving);
    thread ??= startThread();
    thread.postMessage(request);
    void moving.promise.then(() => {
      const failure = failures.get(this.#file);
      if (failure !== undefined) this.#onFailure(failure);
    });
  }
}

function startThread(): Worker {
  const started = new Worker(new URL(`backfill-thread${extname(import.meta.url)}`, import.meta.url));
  started.on('message', done);
  // Without a thread a later commit moves the pages itself; the next request starts another thread.
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
