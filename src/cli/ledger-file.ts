// Opens the database file of a ledger read-only, also while a service writes to it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileFault } from '../files/system-faults.ts';
import { ledgerKindFault, SqliteLedgerStore } from '../stores/sqlite/index.ts';
import { Rejected, WrongUsage } from './exit.ts';

/** Opens the file while `read` runs. */
export async function withLedgerFile<T>(path: string, read: (store: SqliteLedgerStore) => Promise<T>): Promise<T> {
  rejectOtherFile(path);
  const store = SqliteLedgerStore.openReadOnly(path);
  try {
    return await read(store);
  } finally {
    await store.close();
  }
}

/** Rejects a path that is not a ledger as wrong usage. Only a ledger can be damaged. */
function rejectOtherFile(path: string): void {
  let fault: string | undefined;
  try {
    const inside = join(path, 'ledger.db');
    if (existsSync(inside)) fault = `${path} is a directory: name the ledger in it, ${inside}`;
    else fault = ledgerKindFault(path);
  } catch (cause) {
    throw new WrongUsage(fileFault(path, cause), { cause });
  }
  if (fault !== undefined) throw new WrongUsage(fault);
}

/** Returns the verifier key that the file itself states. It is attacker-controlled if the file is. */
export async function readIdentity(store: SqliteLedgerStore, path: string): Promise<string> {
  const verifierKey = await store.identity();
  if (verifierKey !== undefined) return verifierKey;
  throw new Rejected({
    reason: 'ledger_empty',
    message: `${path} holds no ledger yet`,
    remedy: 'Name the ledger.db in the data directory of a service that has been started once.',
    metadata: {},
  });
}
