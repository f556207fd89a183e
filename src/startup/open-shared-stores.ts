// Opens the stores that replicas share. This module is loaded only if needed, because loading the driver takes time.

import type { Config } from '../config/index.ts';
import type { PostgresConfig } from '../config/postgres.ts';
import { postgresTarget } from '../config-files/postgres-target.ts';
import { type DataDir, StartError } from '../data-directory/data-dir.ts';
import { describeSharedLoss } from '../data-directory/history-check.ts';
import { HistoryLost, type LedgerKey, type LedgerStore } from '../ledger/index.ts';
import { GuardedLedgerStore, type KnownDamage } from '../stores/guarded-ledger-store.ts';
import { MarkFile } from '../stores/mark-file.ts';
import {
  DatabaseOutOfReach,
  MovedLedger,
  PostgresDatabase,
  PostgresIdempotencyStore,
  PostgresLease,
  PostgresLedgerStore,
  PostgresPendingRecordings,
  PostgresReplayGuard,
  readServerTime,
  UnfitDatabase,
} from '../stores/postgres/index.ts';
import { isUnfinishedCopy } from '../stores/unfinished-copy.ts';
import type { Events } from '../telemetry/events.ts';
import { databaseOf } from './database-names.ts';
import type { Stores } from './open-stores.ts';

/** How long a start waits for the database: longer than a failover takes, and shorter than a supervisor waits. */
const START_TIMEOUT_MS = 15_000;

/** What a shared store needs from the service. */
export interface SharedSurroundings {
  readonly dir: DataDir;
  readonly key: LedgerKey;
  readonly earliest: () => number;
  /** Whether the clock of this replica is good enough for work that is done for all replicas. */
  readonly isTimely: () => boolean;
  readonly events: Events;
}

/** The batch is larger than with a file, because each commit has round trips and takes a lock that all replicas share. */
const MAX_BATCH = 256;

/**
 * Opens the stores in a database that replicas share. Throws StartError if the database cannot be used or contains the ledger of another
 * key.
 */
export async function openSharedStores(config: Config, surroundings: SharedSurroundings): Promise<Stores> {
  const { dir, key, earliest, isTimely, events } = surroundings;
  if (config.postgres === undefined) throw new TypeError('There is no database in the configuration.');
  const database = new PostgresDatabase(await postgresTarget(config.postgres), config.postgres.pool, {}, events);
  try {
    await database.examine(START_TIMEOUT_MS);
    const ledger = new PostgresLedgerStore(database);
    await rejectUnfinishedCopy(ledger);
    await rejectMoved(new MovedLedger(database));
    await rejectOtherKey(ledger, key);
    const pendingRecordings = new PostgresPendingRecordings(database);
    const mark = MarkFile.open(dir.mark, 0);
    const lease = new PostgresLease(database, { isFit: isTimely, onChanged: events.backgroundLeaseChanged });
    const memo = new PostgresIdempotencyStore(database, undefined, earliest, lease);
    const guard =
      config.replay.guard === 'durable' ? new PostgresReplayGuard(database, undefined, earliest, lease) : undefined;
    const damage = noteDamage(events);
    return {
      ledger: new GuardedLedgerStore(ledger, damage),
      documents: ledger,
      mark,
      replay: guard,
      idempotency: memo,
      pendingRecordings,
      replacedFile: () => undefined,
      writes: [],
      maxBatch: MAX_BATCH,
      checks: () => ({ database: database.isUp, integrity: !damage.isFound() }),
      describeLoss: (loss) => describeSharedLoss(loss, dir),
      tidiesForAll: () => lease.token !== undefined,
      readSharedTime: (steadyMs) => readServerTime(database, steadyMs),
      close: async () => {
        await Promise.all([
          ledger.close(),
          memo.close(),
          guard?.close(),
          pendingRecordings.close(),
          mark.close(),
          lease.close(),
        ]);
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    if (error instanceof HistoryLost) throw new StartError(describeSharedLoss(error, dir), { cause: error });
    throw error instanceof UnfitDatabase ? new StartError(sentenceOf(error, config.postgres), { cause: error }) : error;
  }
}

/** If a server does not answer, the message must say which one. Other messages say what to do. */
function sentenceOf(error: UnfitDatabase, postgres: PostgresConfig): string {
  if (!(error instanceof DatabaseOutOfReach)) return error.message;
  return (
    `${error.message} The start has asked ${databaseOf(postgres)} for ${START_TIMEOUT_MS / 1000} s: start it, or correct ECT_POSTGRES_URL, ` +
    'and start the service again.'
  );
}

async function rejectUnfinishedCopy(ledger: LedgerStore): Promise<void> {
  const head = await ledger.head();
  if (head === undefined || !isUnfinishedCopy(head)) return;
  throw new StartError(
    `The database holds an unfinished copy of a ledger, ${head.size} entries: complete it with \`ect ledger copy\`, from where it was begun.`,
  );
}

async function rejectMoved(moved: MovedLedger): Promise<void> {
  const target = await moved.target();
  if (target === undefined) return;
  throw new StartError(
    `The ledger in the database was copied to ${target} by \`ect ledger copy\`: continued in both places it would have two histories. Start ` +
      'the service over the copy. If nothing was ever started over that, delete the copy, and the row in the table ect.moved.',
  );
}

async function rejectOtherKey(ledger: LedgerStore, key: LedgerKey): Promise<void> {
  const identity = await ledger.identity();
  if (identity === undefined || identity === key.verifierKey) return;
  throw new StartError(
    `The database holds the ledger ${identity}, and ECT_LEDGER_KEY_FILE is the key of ${key.verifierKey}: give this replica the key that the others have.`,
  );
}

/** Remembers damage from when it is found until the process exits. A restart looks again. */
function noteDamage(events: Events): KnownDamage {
  let isFound = false;
  return {
    isFound: () => isFound,
    found: (damage) => {
      if (!isFound) events.storageDamaged('database', damage);
      isFound = true;
    },
  };
}
