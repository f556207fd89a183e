// Repeats a start that lost its database. The failed attempt has been undone, and the next one finds what it wrote. Its first query waits
// until the database answers; if it does not, the error names the database.

import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../config/index.ts';
import { StartError } from '../data-directory/data-dir.ts';
import { databaseOf } from '../startup/database-names.ts';
import { DatabaseUnavailable } from '../stores/database-unavailable.ts';
import { endOfStart, StartStopped } from './start-errors.ts';

/** How many times a start may lose its database. */
const MAX_ATTEMPTS = 3;
/** The pause before the second attempt in milliseconds. Before the third it is twice as long. */
const PAUSE_MS = 500;

/** `start` must undo its work when it fails. Throws StartError with the name of the database after the last attempt. */
export async function startWithDatabase<T>(
  { postgres }: Pick<Config, 'postgres'>,
  start: () => Promise<T>,
  stop: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable) || postgres === undefined) throw endOfStart(error, stop);
      if (stop?.aborted === true) throw new StartStopped({ cause: error });
      if (attempt === MAX_ATTEMPTS) throw lost(error, databaseOf(postgres));
    }
    // If the service is asked to stop meanwhile, the next step of the start notices it.
    await pause(PAUSE_MS * attempt, undefined, stop && { signal: stop }).catch(() => undefined);
  }
}

function lost(error: DatabaseUnavailable, database: string): StartError {
  const message =
    `${error.message} The start was begun ${MAX_ATTEMPTS} times, and each time the connection to ${database} (ECT_POSTGRES_URL) was lost before ` +
    'the service took calls: start the service again when the database stays.';
  return new StartError(message, { cause: error });
}
