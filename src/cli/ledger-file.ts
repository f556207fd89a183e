// A ledger's database file, opened for reading only: also while a service writes it.

import { existsSync } from 'node:fs';
import { SqliteLedgerStore } from '../stores/sqlite/index.ts';
import { Refused, WrongUsage } from './exit.ts';

/** Opens the file for as long as `read` runs. */
export async function withLedgerFile<T>(path: string, read: (store: SqliteLedgerStore) => Promise<T>): Promise<T> {
  if (!existsSync(path)) throw new WrongUsage(`there is no file ${path}`);
  const store = SqliteLedgerStore.openReadOnly(path);
  try {
    return await read(store);
  } finally {
    await store.close();
  }
}

/** The verifier key that the file itself names. Whoever can write the file can write this too. */
export async function readIdentity(store: SqliteLedgerStore, path: string): Promise<string> {
  const verifierKey = await store.identity();
  if (verifierKey !== undefined) return verifierKey;
  throw new Refused({
    reason: 'ledger_empty',
    message: `${path} holds no ledger yet`,
    remedy: 'Name the ledger.db in the data directory of a service that has been started once.',
    metadata: {},
  });
}
