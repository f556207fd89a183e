// Opens the database file of a ledger read-only, also while a service writes to it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileFault } from '../files/system-faults.ts';
import { ledgerKindFault, SqliteLedgerStore } from '../stores/sqlite/index.ts';
import { Rejected, WrongUsage } from './exit.ts';

/** An open ledger file. */
export interface LedgerFile {
  readonly path: string;
  readonly store: SqliteLedgerStore;
  /** Whether no process had it open for writing: it is then read without locks, so that SQLite makes no files beside it. */
  readonly isAtRest: boolean;
}

/** Opens the file while `read` runs. The directory stays as it is. */
export async function withLedgerFile<T>(path: string, read: (file: LedgerFile) => Promise<T>): Promise<T> {
  rejectOtherFile(path);
  const isAtRest = !hasWriter(path);
  const store = SqliteLedgerStore.openReadOnly(path, isAtRest);
  try {
    return await read({ path, store, isAtRest });
  } catch (error) {
    demandRest({ path, isAtRest });
    throw error;
  } finally {
    await store.close();
  }
}

/** Throws if a service has begun to write a file that was read without locks: what was read may be of two states. */
export function demandRest({ path, isAtRest }: Pick<LedgerFile, 'path' | 'isAtRest'>): void {
  if (!isAtRest || !hasWriter(path)) return;
  throw new Rejected({
    reason: 'ledger_changed',
    message: `a service has begun to write ${path} while it was read`,
    remedy: 'Repeat the command; a running service does not disturb it.',
    metadata: {},
  });
}

/** Whether there is a write-ahead log: a service has the file open, or has been killed. */
function hasWriter(path: string): boolean {
  return existsSync(`${path}-wal`);
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
