// Everything that is wrong with a data directory, at once. Nothing is made or changed in it.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Config } from './config/index.ts';
import { problemsOf } from './config-problems.ts';
import { type DataDir, dataDirFaults, filesIn, readLedgerKey, StartError } from './data-dir.ts';
import { refuseMoved } from './moved-ledger.ts';
import { refuseLostHistory } from './one-history.ts';
import { ledgerKindFault, onceKindFault, SqliteLedgerStore } from './stores/sqlite/index.ts';
import { writeFault } from './system-faults.ts';

/** The directory, the key of the ledger and the two databases, as far as they are there. */
export async function checkDataDir({ store, dataDir }: Config): Promise<void> {
  if (store === 'memory') return;
  const faults = directoryFaults(resolve(dataDir)).map((fault) => `ECT_DATA_DIR: ${fault}`);
  const hasLedger = store === 'sqlite' && existsSync(dataDir);
  // Whose file it is may be all that is wrong with one: the others are looked at all the same.
  const problems = [...faults, ...(hasLedger ? await problemsIn(filesIn(dataDir), faults) : [])];
  if (problems.length > 0) throw new AggregateError(problems.map((problem) => new StartError(problem)));
}

/** What keeps this process from using the directory, or from making it where it is not there. Full sentences. */
function directoryFaults(path: string): readonly string[] {
  const faults = dataDirFaults(path);
  if (faults.length > 0 || existsSync(path)) return faults;
  const fault = makingFault(path, dirname(path));
  return fault === undefined ? [] : [fault];
}

/** What keeps this process from making `path` in the first directory above it that is there. */
function makingFault(path: string, above: string): string | undefined {
  if (!existsSync(above)) return makingFault(path, dirname(above));
  try {
    accessSync(above, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return writeFault(path, error);
  }
}

/** `known`: faults that were found already. A file that one of them names is not opened. */
async function problemsIn(dir: DataDir, known: readonly string[]): Promise<readonly string[]> {
  const mayOpen = (file: string) => existsSync(file) && !known.some((fault) => fault.includes(resolve(file)));
  const [ledger, once] = [mayOpen(dir.ledger), mayOpen(dir.once)];
  const found = await Promise.all([
    problemsOf(readLedgerKey(dir)),
    problemsOf(checkKind(ledger, dir.ledger, ledgerKindFault)),
    problemsOf(checkKind(once, dir.once, onceKindFault)),
  ]);
  const problems = found.flat();
  // Whether key and ledger are of each other can only be said of two that are sound.
  if (problems.length > 0 || known.length > 0) return problems;
  return problemsOf(checkHistory(dir, ledger));
}

async function checkKind(isThere: boolean, path: string, kindFault: (path: string) => string | undefined) {
  const fault = isThere ? kindFault(path) : undefined;
  if (fault !== undefined) throw new StartError(`${fault}.`);
}

/** `isThere`: the ledger, which may be missing although its key has signed for it. */
async function checkHistory(dir: DataDir, isThere: boolean): Promise<void> {
  if (isThere) await checkIdentity(dir);
  const key = await readLedgerKey(dir);
  refuseMoved(dir);
  if (key !== undefined) await refuseLostHistory(dir, key);
}

async function checkIdentity(dir: DataDir): Promise<void> {
  const key = await readLedgerKey(dir);
  if (key === undefined || statSync(dir.ledger).size === 0) return;
  const identity = await readIdentity(dir.ledger);
  if (identity === undefined || identity === key.verifierKey) return;
  throw new StartError(`${dir.ledger} belongs to another key than ${dir.ledgerKey}: restore both from one backup.`);
}

/** A database that nobody has open is read as a file, so that SQLite makes nothing beside it. */
async function readIdentity(path: string): Promise<string | undefined> {
  const isAtRest = () => !existsSync(`${path}-wal`);
  if (!isAtRest()) return identityIn(path, false);
  const identity = await identityIn(path, true).catch((error: unknown) => {
    if (isAtRest()) throw error;
    return undefined;
  });
  // A service may have started while it was read.
  return isAtRest() ? identity : identityIn(path, false);
}

async function identityIn(path: string, isAtRest: boolean): Promise<string | undefined> {
  const store = SqliteLedgerStore.openReadOnly(path, isAtRest);
  try {
    return await store.identity();
  } finally {
    await store.close();
  }
}
