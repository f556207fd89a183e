// Finds all faults of a data directory at once, without changing it.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Config } from '../config/index.ts';
import { type DataDir, dataDirFaults, filesIn, readLedgerKey, StartError } from '../data-directory/data-dir.ts';
import { rejectLostHistory } from '../data-directory/history-check.ts';
import { rejectMoved } from '../data-directory/moved-ledger.ts';
import { writeFault } from '../files/system-faults.ts';
import { isForeign, type LedgerKey } from '../ledger/index.ts';
import {
  checkAtStart,
  checkOnceAtStart,
  expiringKeyKindFault,
  ledgerKindFault,
  onceAge,
  SqliteLedgerStore,
} from '../stores/sqlite/index.ts';
import { problemsOf } from './config-problems.ts';

/** Checks the directory, the key of the ledger and the two databases, as far as they exist. */
export async function checkDataDir({ store, dataDir }: Config): Promise<void> {
  if (store === 'memory') return;
  const faults = directoryFaults(resolve(dataDir)).map((fault) => `ECT_DATA_DIR: ${fault}`);
  const hasLedger = store === 'sqlite' && existsSync(dataDir);
  // The only fault of a file may be its owner, so the other files are checked anyway.
  const problems = [...faults, ...(hasLedger ? await problemsIn(filesIn(dataDir), faults) : [])];
  if (problems.length > 0) throw new AggregateError(problems.map((problem) => new StartError(problem)));
}

/** Returns why this process cannot use or create the directory, in full sentences. */
function directoryFaults(path: string): readonly string[] {
  const faults = dataDirFaults(path);
  if (faults.length > 0 || existsSync(path)) return faults;
  const fault = makingFault(path, dirname(path));
  return fault === undefined ? [] : [fault];
}

/** Returns why this process cannot create `path` in the nearest existing directory above it. */
function makingFault(path: string, above: string): string | undefined {
  if (!existsSync(above)) return makingFault(path, dirname(above));
  try {
    accessSync(above, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return writeFault(path, error);
  }
}

/** `known` are the faults that were found before. A file that they name is not opened. */
async function problemsIn(dir: DataDir, known: readonly string[]): Promise<readonly string[]> {
  const mayOpen = (file: string) => existsSync(file) && !known.some((fault) => fault.includes(resolve(file)));
  const [ledger, once] = [mayOpen(dir.ledger), mayOpen(dir.once)];
  const found = await Promise.all([
    problemsOf(readLedgerKey(dir)),
    problemsOf(checkKind(ledger, dir.ledger, ledgerKindFault)),
    problemsOf(checkKind(once, dir.once, expiringKeyKindFault)),
  ]);
  const problems = found.flat();
  // Whether key and ledger belong together can be checked only if both are intact.
  if (problems.length > 0 || known.length > 0) return problems;
  const lost = await problemsOf(checkHistory(dir, ledger));
  if (lost.length > 0) return lost;
  const key = ledger ? await readLedgerKey(dir) : undefined;
  const damage = [key && checkLedger(dir, key), once ? checkOnce(dir) : undefined];
  return (await Promise.all(damage.map((check) => problemsOf(Promise.resolve(check))))).flat();
}

async function checkKind(isThere: boolean, path: string, kindFault: (path: string) => string | undefined) {
  const fault = isThere ? kindFault(path) : undefined;
  if (fault !== undefined) throw new StartError(`${fault}.`);
}

/** `isThere`: whether the ledger exists. It may be missing although its key has signed checkpoints. */
async function checkHistory(dir: DataDir, isThere: boolean): Promise<void> {
  if (isThere) await checkIdentity(dir);
  const key = await readLedgerKey(dir);
  rejectMoved(dir);
  if (key !== undefined) await rejectLostHistory(dir, key);
}

async function checkIdentity(dir: DataDir): Promise<void> {
  const key = await readLedgerKey(dir);
  if (key === undefined || statSync(dir.ledger).size === 0) return;
  const identity = await look(dir.ledger, (isAtRest) => readIdentity(dir.ledger, isAtRest));
  if (identity === undefined || identity === key.verifierKey) return;
  if (!isForeign(identity)) throw new StartError(`${dir.ledger} is damaged: it does not say whose it is. ${RESTORE}`);
  throw new StartError(`${dir.ledger} belongs to another key than ${dir.ledgerKey}: restore both from one backup.`);
}

const RESTORE = 'Restore a backup with `ect restore --replace`.';

/** Reports damage that a start would find. The service would then serve what can be verified, and write nothing. */
async function checkLedger({ ledger, ledgerDamage }: DataDir, { verifierKey }: LedgerKey): Promise<void> {
  if (statSync(ledger).size === 0) return;
  const { faults } = await look(ledger, (isAtRest) => checkAtStart(ledger, verifierKey, isAtRest));
  const descriptions = faults.map(({ index, fault }) => (index === null ? fault : `entry ${index}: ${fault}`));
  rejectDamage(ledger, ledgerDamage, descriptions, `It would be read, and nothing recorded. ${RESTORE}`);
}

async function checkOnce({ once, onceDamage }: DataDir): Promise<void> {
  if (statSync(once).size === 0) return;
  const faults = await look(once, async (isAtRest) =>
    // A start migrates it.
    onceAge(once, isAtRest) === 'older' ? [] : checkOnceAtStart(once, isAtRest),
  );
  const next = 'No use of a token would be accepted, and no request id remembered. Restore it from a backup.';
  rejectDamage(once, onceDamage, faults, next);
}

/** `mark` is the path of the file that states earlier damage. */
function rejectDamage(path: string, mark: string, faults: readonly string[], next: string): void {
  const [fault, ...more] = faults;
  if (fault !== undefined) {
    throw new StartError(`${path} is damaged: ${fault}${more.length > 0 ? `, and ${more.length} more` : ''}. ${next}`);
  }
  if (!existsSync(mark)) return;
  throw new StartError(
    `${path} was found damaged (${mark}): nothing is written to it until the service has examined all of it and found no damage.`,
  );
}

/** Reads a database. If no process has it open, it is read as an immutable file, so that SQLite creates no other files. */
async function look<T>(path: string, read: (isAtRest: boolean) => Promise<T>): Promise<T> {
  const isAtRest = () => !existsSync(`${path}-wal`);
  if (!isAtRest()) return read(false);
  try {
    const found = await read(true);
    if (isAtRest()) return found;
  } catch (error) {
    if (isAtRest()) throw error;
  }
  // A service has started while the file was read.
  return read(false);
}

async function readIdentity(path: string, isAtRest: boolean): Promise<string | undefined> {
  const store = SqliteLedgerStore.openReadOnly(path, isAtRest);
  try {
    return await store.identity();
  } finally {
    await store.close();
  }
}
