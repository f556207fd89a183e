// How the stores of a service are opened that replicas share. Loaded only where they are wanted: the driver takes a while.

import type { Config } from './config.ts';
import { type DataDir, StartError } from './data-dir.ts';
import type { Events } from './events.ts';
import { HistoryLost, type LedgerKey, type LedgerStore } from './ledger/index.ts';
import { describeSharedLoss } from './one-history.ts';
import type { Stores } from './open-stores.ts';
import { postgresTarget } from './postgres-target.ts';
import { GuardedLedgerStore, type KnownDamage } from './stores/guarded-ledger-store.ts';
import { MarkFile } from './stores/mark-file.ts';
import {
  PostgresDatabase,
  PostgresIssueMemo,
  PostgresLedgerStore,
  PostgresRecordingOrders,
  PostgresReplayGuard,
  UnfitDatabase,
} from './stores/postgres/index.ts';

/** What a shared store is opened with. */
export interface SharedSurroundings {
  readonly dir: DataDir;
  readonly key: LedgerKey;
  readonly earliest: () => number;
  readonly events: Events;
}

/** Opens the stores in a database that replicas share. StartError where it cannot be used, or holds the ledger of another key. */
export async function openSharedStores(config: Config, surroundings: SharedSurroundings): Promise<Stores> {
  const { dir, key, earliest, events } = surroundings;
  if (config.postgres === undefined) throw new TypeError('There is no database in the configuration.');
  const database = new PostgresDatabase(await postgresTarget(config.postgres), config.postgres.pool);
  try {
    await database.examine();
    const ledger = new PostgresLedgerStore(database);
    await refuseOtherKey(ledger, key);
    const memo = new PostgresIssueMemo(database, undefined, earliest);
    const guard = config.replay.guard === 'off' ? undefined : new PostgresReplayGuard(database, undefined, earliest);
    const orders = new PostgresRecordingOrders(database);
    const mark = MarkFile.open(dir.mark, 0);
    const damage = noteDamage(events);
    return {
      ledger: new GuardedLedgerStore(ledger, damage),
      mark,
      replay: guard,
      memo,
      orders,
      replacedFile: () => undefined,
      writes: [],
      checks: () => ({ integrity: !damage.isFound() }),
      describeLoss: describeSharedLoss,
      close: async () => {
        await Promise.all([ledger.close(), memo.close(), guard?.close(), orders.close(), mark.close()]);
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    if (error instanceof HistoryLost) throw new StartError(describeSharedLoss(error), { cause: error });
    throw error instanceof UnfitDatabase ? new StartError(error.message, { cause: error }) : error;
  }
}

async function refuseOtherKey(ledger: LedgerStore, key: LedgerKey): Promise<void> {
  const identity = await ledger.identity();
  if (identity === undefined || identity === key.verifierKey) return;
  throw new StartError(
    `The database holds the ledger ${identity}, and ECT_LEDGER_KEY_FILE is the key of ${key.verifierKey}: give this replica the key that the others have.`,
  );
}

/** From when it is found until this process ends: a restart looks again. */
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
