// A PostgreSQL database as the source or target of a copy.

import { postgresTarget } from '../config-files/postgres-target.ts';
import type { LedgerKey } from '../ledger/index.ts';
import { databaseSettings } from '../maintenance/database-settings.ts';
import type { PostgresDatabase } from '../stores/postgres/index.ts';
import type { CopySource, CopyTarget } from './ends.ts';
import { directoryRejection, rejection } from './rejections.ts';

const NAME = 'the database';
const CONNECTIONS = 2;

/** Opens the database that the settings name. Throws if a service is connected to it. */
async function openEnd(env: Readonly<Record<string, string | undefined>>) {
  const settings = databaseSettings(env);
  const target = await postgresTarget(settings).catch((error: unknown) => {
    throw directoryRejection(error);
  });
  // Other copies do not load the driver.
  const {
    countOpenRecordings,
    countServices,
    MovedLedger,
    PostgresDatabase,
    PostgresLedgerStore,
    PostgresExpiringKeyRows,
    UnfitDatabase,
  } = await import('../stores/postgres/index.ts');
  const database = new PostgresDatabase({ ...target, program: 'ect-ledger-copy' }, CONNECTIONS);
  try {
    await database.examine();
    rejectServices(await countServices(database));
  } catch (error) {
    await database.close();
    if (!(error instanceof UnfitDatabase)) throw error;
    throw rejection('database_unusable', error.message, 'Do what the message says, and repeat the copy.');
  }
  const store = new PostgresLedgerStore(database);
  const once = new PostgresExpiringKeyRows(database);
  const openRecordings = await countOpenRecordings(database);
  return {
    store,
    once,
    openRecordings,
    moved: new MovedLedger(database),
    close: () => closeAll(store, once, database),
  };
}

function rejectServices(services: number): void {
  if (services === 0) return;
  const message = `Services use the database: they have ${services} ${services === 1 ? 'connection' : 'connections'}.`;
  throw rejection('database_in_use', message, 'Stop every replica, and repeat the copy.');
}

async function closeAll(
  store: { close(): Promise<void> },
  once: { close(): Promise<void> },
  database: PostgresDatabase,
): Promise<void> {
  await Promise.all([store.close(), once.close()]);
  await database.close();
}

/** Opens a database as the source of a copy. */
export async function openDatabaseSource(
  env: Readonly<Record<string, string | undefined>>,
  key: LedgerKey,
): Promise<CopySource> {
  const { moved, ...end } = await openEnd(env);
  return { name: NAME, key, retire: (target) => moved.goTo(target), ...end };
}

/** Opens a database as the target of a copy. The last entry completes the copy. */
export async function openDatabaseTarget(env: Readonly<Record<string, string | undefined>>): Promise<CopyTarget> {
  const { moved, store, once, close } = await openEnd(env);
  return { name: NAME, store, once, close, finish: () => moved.comeBack() };
}
