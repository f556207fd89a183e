// The thread that moves pages from write-ahead files into their main files. Nobody waits for it but those who close a file.

import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort } from 'node:worker_threads';

/** Moves what waits in the write-ahead file of this database. */
export interface BackfillOrder {
  readonly file: string;
  /** Whether writers are held up for the rest, so that the write-ahead file can begin anew. */
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
    // Little is left then, so writers are held up for a short time.
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
