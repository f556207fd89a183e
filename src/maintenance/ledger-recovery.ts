// The remedies for a ledger with a lost history, besides restoring a copy: begin a new ledger with a new key and name, or accept the
// loss, which the ledger then states. Both need a directory that no service owns.

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { asLossCandidate } from '../authority/index.ts';
import type { AcceptedLossFacts, LedgerRecovery, NewOriginFacts } from '../cli/ledger.ts';
import { commandClock, type TrustedClock } from '../clock/index.ts';
import {
  type DataDir,
  filesIn,
  freshLedgerKey,
  isOwnSigningKey,
  openDataDir,
  readLedgerKey,
  StartError,
} from '../data-directory/data-dir.ts';
import { describeLoss, findLoss } from '../data-directory/history-check.ts';
import { takeOwnership } from '../data-directory/ownership.ts';
import { EctError } from '../errors.ts';
import { createFileOnce, directoryAmong, linkAside } from '../files/atomic-files.ts';
import { writeFault } from '../files/system-faults.ts';
import {
  emptyCheckpoint,
  generateLedgerKey,
  headFault,
  Ledger,
  type LedgerKey,
  openLedgerKey,
  type ShownCheckpoint,
} from '../ledger/index.ts';
import { MarkFile } from '../stores/mark-file.ts';
import { SqliteLedgerStore } from '../stores/sqlite/index.ts';
import { type Env, isOverDatabase, recordSharedLoss } from './shared-ledger-recovery.ts';

/** `env` contains the settings. Only those of a replica with a database are used. */
export function ledgerRecoveryOf(env: Env): LedgerRecovery {
  return {
    newOrigin: (path, origin, endsIntact) => {
      if (isOverDatabase(env)) throw new StartError(NEW_ORIGIN_IN_DATABASE);
      return newOrigin(path, origin, endsIntact);
    },
    acceptLoss: (path, note) =>
      asOwner(path, (dir) => {
        const clock = clockForLoss(dir);
        return isOverDatabase(env) ? recordSharedLoss(env, dir, note, clock) : recordLoss(dir, note, clock);
      }),
  };
}

const NEW_ORIGIN_IN_DATABASE =
  'A new ledger needs a database of its own (ECT_STORE=postgres): make one with `ect db init`, and a key with `ect keygen --ledger`. ' +
  'Give both to every replica, and remove ledger.mark from each data directory.';

/** Runs `work` as the owner of a directory that has been used. */
async function asOwner<T>(path: string, work: (dir: DataDir) => Promise<T>): Promise<T> {
  const { ledgerKey, ledger, mark, once } = filesIn(path);
  if (![ledgerKey, ledger, mark, once].some((file) => existsSync(file))) {
    throw new StartError(`${path} holds no ledger: name the data directory of a service with --data-dir.`);
  }
  const dir = await openDataDir(path);
  const ownership = await takeOwnership(dir);
  try {
    return await work(dir);
  } finally {
    ownership.release();
  }
}

async function newOrigin(path: string, origin: string | undefined, endsIntact: boolean): Promise<NewOriginFacts> {
  const text = newKey(origin);
  return asOwner(path, async (dir) => {
    if (!endsIntact) await rejectIntact(dir);
    const keptIn = await keptAside(dir);
    await createFileOnce(dir.ledgerKey, () => `${text}\n`);
    const key = openLedgerKey(text);
    // A mark without entries: this directory is about to begin a ledger.
    const mark = MarkFile.open(dir.mark, 0);
    mark.raise(emptyCheckpoint(key));
    await mark.close();
    return { origin: key.origin, verifierKey: key.verifierKey, keptIn };
  });
}

function newKey(origin: string | undefined): string {
  try {
    return origin === undefined ? freshLedgerKey() : generateLedgerKey(origin);
  } catch (cause) {
    throw new StartError(`--origin: ${cause instanceof Error ? cause.message : 'not a name'}`, { cause });
  }
}

/** Rejects an intact ledger: the service can simply be started. */
async function rejectIntact(dir: DataDir): Promise<void> {
  const size = await intactSize(dir);
  if (size === undefined || size === 0) return;
  throw new StartError(
    `Nothing is missing from the ledger in ${dir.path} (${size} ${size === 1 ? 'entry' : 'entries'}), and no damage is known: start the ` +
      'service. To end this ledger all the same, repeat the command with --end-intact-ledger: then the service finds, proves and ' +
      'continues none of its entries, and its tokens are KEY_UNKNOWN where the new ledger does not announce their keys.',
  );
}

/** Returns the number of entries of a ledger that a service would continue; undefined if there is none. */
async function intactSize(dir: DataDir): Promise<number | undefined> {
  let store: SqliteLedgerStore | undefined;
  try {
    const key = await readLedgerKey(dir);
    if (key === undefined || !existsSync(dir.ledger) || existsSync(dir.ledgerDamage)) return undefined;
    if ((await findLoss(dir, key.verifierKey)) !== undefined) return undefined;
    store = SqliteLedgerStore.openReadOnly(dir.ledger);
    if ((await headFault(store, key.verifierKey)) !== undefined) return undefined;
    return (await store.head())?.size ?? 0;
  } catch (error) {
    if (error instanceof EctError || error instanceof StartError) return undefined;
    throw error;
  } finally {
    await store?.close();
  }
}

async function keptAside(dir: DataDir): Promise<string> {
  try {
    return await keepAside(dir);
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    throw new StartError(`The ledger cannot be kept beside: ${writeFault(dir.path, cause)}`, { cause });
  }
}

/**
 * Moves the ledger, its key and the signing keys of the service into another directory, and returns its path. All files are copied and
 * flushed before any is removed. The database is removed first: a start in between fails, because the mark or `once.db` shows that there
 * was a ledger.
 */
async function keepAside(dir: DataDir): Promise<string> {
  const keptIn = join(dir.path, `old-ledger-${new Date().toISOString().replaceAll(/[^0-9TZ]/g, '')}`);
  // Only the old ledger knows which of them are retired or revoked, so none of them signs for the new one.
  const ownKeys = readdirSync(dir.path)
    .filter(isOwnSigningKey)
    .map((name) => join(dir.path, name));
  const kept = [
    `${dir.ledger}-wal`,
    dir.ledger,
    dir.ledgerDamage,
    ...ownKeys,
    dir.mark,
    dir.moved,
    dir.ledgerKey,
  ].filter((file) => existsSync(file));
  const names = kept.map((file) => basename(file));
  const directory = directoryAmong(dir.path, names);
  if (directory !== undefined) throw new StartError(`${directory}: move it out of the data directory.`);
  await linkAside(dir.path, names, keptIn);
  for (const file of [`${dir.ledger}-shm`, ...kept]) rmSync(file, { force: true });
  return keptIn;
}

/** Returns the clock that dates a loss in the ledger. Throws StartError if the wall clock is not trusted. */
export function clockForLoss(dir: DataDir): TrustedClock {
  const clock = commandClock(dir.clock);
  if (clock.isTrusted) return clock;
  const seconds = Math.round(Math.abs(clock.trustedTime.skew?.differenceMs ?? 0) / 1000);
  const name = basename(dir.clock);
  throw new StartError(
    `The wall clock is ${seconds} s away from the time that the service trusted (${name}), and the entry of the loss would have this time for ever. Nothing was changed. ` +
      `Set the clock right (NTP), and repeat the command. If it is right now and was wrong before, remove ${name} first.`,
  );
}

/** States in the ledger the entries that the mark contains and the ledger has lost. The caller must own the directory. */
export async function recordLoss(dir: DataDir, note: string, clock: TrustedClock): Promise<AcceptedLossFacts> {
  const key = await readLedgerKey(dir);
  if (key === undefined) throw new StartError(`${dir.ledgerKey} is missing: restore it from a backup.`);
  const loss = await findLoss(dir, key.verifierKey);
  if (loss === undefined) throw nothingLost(dir, await intactSize(dir));
  if (loss.shown === undefined) throw new StartError(describeLoss(loss, dir), { cause: loss });
  return record(dir, key, loss.shown, note, clock);
}

/** `size` is undefined if the size of a damaged ledger is unknown; then its loss cannot be stated. */
function nothingLost({ path, ledger }: DataDir, size: number | undefined): StartError {
  return new StartError(
    size === undefined
      ? `${ledger} is damaged, so what is missing of it cannot be stated. Restore a backup with \`ect restore --replace\`, or begin a new ledger: ect ledger new-origin --data-dir ${path}.`
      : `Nothing of the ledger in ${path} is missing: start the service.`,
  );
}

async function record(
  dir: DataDir,
  key: LedgerKey,
  shown: ShownCheckpoint,
  note: string,
  clock: TrustedClock,
): Promise<AcceptedLossFacts> {
  const store = SqliteLedgerStore.open(dir.ledger);
  try {
    const ledger = await Ledger.open({ store, key, nowMs: clock.steadyMs, stampMs: () => clock.stampEntryMs(0) });
    const { record } = await ledger.append(asLossCandidate(shown, note));
    // From here on the loss is stated. Until the mark is replaced a start fails, and this command finds the entry.
    const head = await store.head();
    if (head !== undefined) await MarkFile.replace(dir.mark, head);
    return { index: record.index, shownSize: shown.size, verifierKey: key.verifierKey };
  } finally {
    await store.close();
  }
}
