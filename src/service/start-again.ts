// A start whose database is lost on the way. What had begun is ended by then, and what was written is found by the next attempt, so the
// start begins again: its first question to the database waits until that answers, or names it to the operator.

import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../config/index.ts';
import { StartError } from '../data-directory/data-dir.ts';
import { databaseOf } from '../startup/database-names.ts';
import { DatabaseUnavailable } from '../stores/database-unavailable.ts';

/** A database that is lost so often in one start does not stay. */
const MAX_ATTEMPTS = 3;
/** Before the second attempt; before the third it is twice as long. */
const PAUSE_MS = 500;

/** `start` ends what it has begun where it fails. StartError with the name of the database where that does not stay. */
export async function startWithDatabase<T>(
  { postgres }: Pick<Config, 'postgres'>,
  start: () => Promise<T>,
  stop: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable) || postgres === undefined) throw error;
      if (attempt === MAX_ATTEMPTS) throw lost(error, databaseOf(postgres));
    }
    // Who is told to stop meanwhile is so at the next step of the start.
    await pause(PAUSE_MS * attempt, undefined, stop && { signal: stop }).catch(() => undefined);
  }
}

function lost(error: DatabaseUnavailable, database: string): StartError {
  const message =
    `${error.message} The start was begun ${MAX_ATTEMPTS} times, and each time the connection to ${database} (ECT_POSTGRES_URL) was lost before ` +
    'the service took calls: start the service again when the database stays.';
  return new StartError(message, { cause: error });
}
