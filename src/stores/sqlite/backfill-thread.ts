// The thread that moves pages from write-ahead files into their main files. Only the code that closes a file waits for it.

import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort } from 'node:worker_threads';

/** Moves what waits in the write-ahead file of this database. */
export interface BackfillOrder {
  readonly file: string;
  /** Whether writers are blocked for the rest, so that the write-ahead file can start from the beginning. */
  readonly isWhole: boolean;
}

/** What became of an order. */
export interface BackfillOutcome {
  readonly file: string;
  /** Why pages stay where they are: SQLite's result code and sentence. */
  readonly failure?: { readonly errcode: number; readonly message: string };
}

/** How long it waits for writers and readers, in milliseconds. */
const BUSY_TIMEOUT_MS = 100;

parentPort?.on('message', ({ file, isWhole }: BackfillOrder) => {
  let connection: DatabaseSync | undefined;
  let outcome: BackfillOutcome = { file };
  try {
    // Where the file is gone, none is made in its place.
    const existing = pathToFileURL(file);
    existing.searchParams.set('mode', 'rw');
    connection = new DatabaseSync(existing, { timeout: BUSY_TIMEOUT_MS });
    connection.exec('PRAGMA wal_checkpoint(PASSIVE)');
    // Few pages are left then, so writers are blocked only briefly.
    if (isWhole) connection.exec('PRAGMA wal_checkpoint(PASSIVE); PRAGMA wal_checkpoint(FULL)');
  } catch (error) {
    // Nothing is lost: the pages stay where they are, and the next order moves them.
    const { errcode, message } = error as { readonly errcode?: number; readonly message: string };
    outcome = { file, failure: { errcode: errcode ?? 0, message } };
  } finally {
    connection?.close();
  }
  parentPort?.postMessage(outcome);
});
