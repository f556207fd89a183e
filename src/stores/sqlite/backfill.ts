// When pages are moved from a write-ahead file into its main file. SQLite calls it a checkpoint; here that is the signed
// state of a ledger. It takes two syncs and thousands of small writes, tens of milliseconds, so a thread does it.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { BackfillOrder } from './backfill-thread.ts';

/**
 * Pages that wait before they are moved. 16 MiB: every commit touches the same few index pages, and to move them once for
 * many commits is cheaper.
 */
const BACKFILL_PAGES = 4_000;

/** Pages in a write-ahead file that never rests, after which writers are held up so that it begins anew. */
const WHOLE_PAGES = 16_000;

/** One for all files of the process, from the first time that one needs it. */
let thread: Worker | undefined;
const running = new Map<string, PromiseWithResolvers<void>>();

/** The pages of one open file. */
export class Backfill {
  readonly #file: string;
  readonly #state: StatementSync;

  constructor(file: string, connection: DatabaseSync) {
    this.#file = file;
    this.#state = connection.prepare('PRAGMA wal_checkpoint(NOOP)');
  }

  /** Has the pages moved if there are many. To be asked after a commit: it takes two microseconds. */
  consider(): void {
    if (running.has(this.#file)) return;
    try {
      const { log, checkpointed } = this.#state.get() as { log: number; checkpointed: number };
      if (log - checkpointed >= BACKFILL_PAGES) order({ file: this.#file, isWhole: log >= WHOLE_PAGES });
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
}

function order(what: BackfillOrder): void {
  running.set(what.file, Promise.withResolvers());
  thread ??= startThread();
  thread.postMessage(what);
}

function startThread(): Worker {
  const started = new Worker(new URL('backfill-thread.ts', import.meta.url));
  started.on('message', done);
  // Without a thread a commit moves the pages itself, later; the next order starts another thread.
  started.on('error', () => undefined);
  started.on('exit', () => {
    thread = undefined;
    for (const file of running.keys()) done(file);
  });
  started.unref();
  return started;
}

function done(file: string): void {
  running.get(file)?.resolve();
  running.delete(file);
}
