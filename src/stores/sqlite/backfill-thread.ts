// The thread that moves pages from write-ahead files into their main files. Only the code that closes a file waits for it.

import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort } from 'node:worker_threads';

/** Moves the pages in the write-ahead file of this database into its main file. */
export interface BackfillRequest {
  readonly file: string;
  /** Whether writers are blocked for the rest, so that the write-ahead file can start from the beginning. */
  readonly isWhole: boolean;
}

/** The result of a request. */
export interface BackfillOutcome {
  readonly file: string;
  /** Why pages were not moved: SQLite's result code and message. */
  readonly failure?: { readonly errcode: number; readonly message: string };
}

/** How long it waits for writers and readers, in milliseconds. */
const BUSY_TIMEOUT_MS = 100;

parentPort?.on('message', ({ file, isWhole }: BackfillRequest) => {
  let connection: DatabaseSync | undefined;
  let outcome: BackfillOutcome = { file };
  try {
    // If the file does not exist, it is not created.
    const existing = pathToFileURL(file);
    existing.searchParams.set('mode', 'rw');
    connection = new DatabaseSync(existing, { timeout: BUSY_TIMEOUT_MS });
    connection.exec('PRAGMA wal_checkpoint(PASSIVE)');
    // Few pages are left then, so writers are blocked only briefly.
    if (isWhole) connection.exec('PRAGMA wal_checkpoint(PASSIVE); PRAGMA wal_checkpoint(FULL)');
  } catch (error) {
    // No data is lost: the pages stay in the write-ahead file, and the next request moves them.
    const { errcode, message } = error as { readonly errcode?: number; readonly message: string };
    outcome = { file, failure: { errcode: errcode ?? 0, message } };
  } finally {
    connection?.close();
  }
  parentPort?.postMessage(outcome);
});
