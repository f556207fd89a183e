// Makes a backup of a data directory, also beside the service that uses it. The order of the copies is what makes them fit: the
// ledger first, then everything that may be newer than it and must not be older.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { open, readdir, statfs, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { BackupFacts } from '../cli/backup.ts';
import { Rejected } from '../cli/exit.ts';
import { type DataDir, filesIn, readLedgerKey } from '../data-directory/data-dir.ts';
import { EctError } from '../errors.ts';
import { readSmallFile } from '../files/bounded-read.ts';
import { fileTypeFault } from '../files/file-type.ts';
import { fileFault } from '../files/system-faults.ts';
import { HistoryLost, type KeptCheckpoint } from '../ledger/index.ts';
import { MarkFile } from '../stores/mark-file.ts';
import {
  addOpenRecordings,
  copyLedger,
  copyOnce,
  ledgerKindFault,
  type OpenRecordings,
  readOpenRecordings,
  SqliteLedgerStore,
} from '../stores/sqlite/index.ts';
import { VERSION } from '../version.ts';
import { Draft } from './draft.ts';
import { examineCopies, lostHistory, type OnExamined } from './examine.ts';
import { writeManifest } from './manifest.ts';
import {
  CHECKSUMS,
  CLOCK,
  isOfTheRun,
  KMS_KEY,
  LEDGER,
  LEDGER_KEY,
  MANIFEST,
  MARK,
  mayHold,
  ONCE,
  signingKeysIn,
} from './names.ts';
import { isWithin, realPlace } from './places.ts';
import { noSpace, rejection, writeRejection } from './rejections.ts';

/** Makes a backup of `dataDir` in `directory`, which is there only if all of it is whole and on the disk. */
export async function makeBackup(dataDir: string, directory: string, onExamined: OnExamined): Promise<BackupFacts> {
  const source = await demandLedger(dataDir);
  rejectInside(source.path, directory);
  const createdAt = new Date();
  const startedMs = performance.now();
  await using draft = await Draft.begin(directory);
  try {
    await rejectSmallDisk(source, draft);
    // The mark is never ahead of the ledger, so a mark that is read first contradicts only a ledger that lost entries.
    const shown = readMark(source);
    const names = await copyAll(source, draft.path);
    const copiedMs = Math.round(performance.now() - startedMs);
    const { checkpoint, newestMs, keysElsewhere } = await examineCopies(draft.path, source, shown, onExamined);
    const rootHash = Buffer.from(checkpoint.root).toString('base64');
    const { files } = await writeManifest(draft.path, names, {
      version: VERSION,
      createdAt: createdAt.toISOString(),
      ledger: {
        origin: checkpoint.origin,
        verifierKey: checkpoint.verifierKey,
        size: checkpoint.size,
        rootHash,
        newestEntryAt: new Date(newestMs).toISOString(),
        checkpoint: checkpoint.note,
      },
    });
    await draft.publish();
    return {
      directory: draft.target,
      origin: checkpoint.origin,
      verifierKey: checkpoint.verifierKey,
      size: checkpoint.size,
      rootHash,
      files: [...names, MANIFEST, CHECKSUMS],
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      copiedMs,
      left: [...keysElsewhere, ...(await leftOut(source, names))],
    };
  } catch (error) {
    throw error instanceof Rejected ? error : writeRejection(draft.path, error);
  }
}

/** A backup is lost with the directory that it is in, and would be in the next one. */
function rejectInside(dataDir: string, directory: string): void {
  const target = realPlace(directory);
  if (!isWithin(target, realPlace(dataDir))) return;
  throw rejection(
    'backup_unwritable',
    target === realPlace(dataDir) ? `${target} is the data directory itself.` : `${target} is inside of ${dataDir}.`,
    'Name a directory outside of it, on another disk.',
  );
}

/** What a backup begins with: a ledger that this user may read, and its key. */
async function demandLedger(dataDir: string): Promise<DataDir> {
  const source = filesIn(resolve(dataDir));
  const { path, ledger } = source;
  try {
    accessSync(ledger, constants.R_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isForbidden = code === 'EACCES' || code === 'EPERM';
    if (!isForbidden) throw rejection('no_ledger', `${path} holds no ledger: ${fileFault(ledger, error)}.`, NAME_IT);
    throw rejection(
      'directory_unusable',
      `${fileFault(ledger, error)}.`,
      'Run the command as the user of the service.',
    );
  }
  const fault = fileTypeFault(ledger) ?? ledgerKindFault(ledger);
  if (fault !== undefined) throw rejection('no_ledger', `${fault}.`, NAME_IT);
  const other = [source.once, source.mark].map(fileTypeFault).find((found) => found !== undefined);
  if (other !== undefined) throw rejection('directory_unusable', `${other}.`, 'Move it away, or restore the file.');
  try {
    await readLedgerKey(source);
  } catch (error) {
    throw rejection('directory_unusable', (error as Error).message, 'Without its key a ledger cannot be continued.');
  }
  if (existsSync(source.moved)) {
    throw rejection(
      'directory_unusable',
      `The ledger in ${path} was copied by \`ect ledger copy\` (${basename(source.moved)}), and goes on elsewhere.`,
      'Back it up where it goes on: restored from here it would have two histories.',
    );
  }
  return source;
}

const NAME_IT = 'Name the data directory of a service that was started once, with --data-dir.';

/** Said before long copying, as far as it can be known: pages of the write-ahead files may come on top. */
async function rejectSmallDisk(source: DataDir, { path }: Draft): Promise<void> {
  const needed = bytesOf(source.ledger) + bytesOf(source.once);
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize >= needed) return;
  throw noSpace(dirname(path), `: ${mib(needed)} MiB are needed, ${mib(bavail * bsize)} MiB are free`);
}

/** The newest checkpoint that the source has shown. */
function readMark(source: DataDir): readonly KeptCheckpoint[] {
  try {
    return MarkFile.read(source.mark);
  } catch (error) {
    if (!(error instanceof HistoryLost)) throw error;
    throw lostHistory(error, source);
  }
}

/** Copies what a restore needs into `path`, and returns the names. */
async function copyAll(source: DataDir, path: string): Promise<readonly string[]> {
  // Before the ledger: a recording that is pending now may be completed, and deleted, before its file is copied.
  const open = openRecordingsIn(source.once);
  await makeEmptyFile(join(path, LEDGER));
  // The moment that the backup is of: each entry that was acknowledged before is in it.
  await copyLedger(source.ledger, join(path, LEDGER));
  const names = [LEDGER];
  // After the ledger. An issued token is remembered before it is recorded, so no entry is without its request id; and a use, or a
  // key, that is newer than the ledger does no harm.
  if (existsSync(source.once)) {
    await makeEmptyFile(join(path, ONCE));
    await copyOnce(source.once, join(path, ONCE));
    addOpenRecordings(join(path, ONCE), open);
    names.push(ONCE);
  }
  // A key file is made before its key is announced, and never changes: no announced key is without its file.
  const keys = [LEDGER_KEY, KMS_KEY, CLOCK, ...(await signingKeysIn(source.path))];
  for (const name of keys.filter((file) => existsSync(join(source.path, file)))) {
    await copyFile(join(source.path, name), join(path, name));
    names.push(name);
  }
  await writeMark(path);
  return [...names, MARK];
}

function openRecordingsIn(once: string): OpenRecordings {
  try {
    return existsSync(once) ? readOpenRecordings(once) : [];
  } catch (error) {
    // The copy is examined, and that says what is damaged.
    if (error instanceof EctError && error.reason === 'ONCE_CORRUPT') return [];
    throw error;
  }
}

/** A mark of exactly this copy, so that a start notices whatever it loses later. */
async function writeMark(path: string): Promise<void> {
  const store = SqliteLedgerStore.openReadOnly(join(path, LEDGER), true);
  try {
    const head = await store.head();
    if (head !== undefined) await MarkFile.replace(join(path, MARK), head);
  } finally {
    await store.close();
  }
}

async function copyFile(from: string, to: string): Promise<void> {
  let bytes: Buffer;
  try {
    bytes = await readSmallFile(from);
  } catch (error) {
    throw rejection('directory_unusable', `${fileFault(from, error)}.`, 'Run the command as the user of the service.');
  }
  await writeFile(to, bytes, { mode: 0o600, flag: 'wx' });
}

/** Created here, because SQLite would create it readable for all users. */
async function makeEmptyFile(path: string): Promise<void> {
  await (await open(path, 'wx', 0o600)).close();
}

/** What the directory has beside that, and the operator may want to keep: an old ledger, for one. */
async function leftOut({ path }: DataDir, names: readonly string[]): Promise<readonly string[]> {
  const others = (await readdir(path)).filter((name) => !names.includes(name) && !mayHold(name) && !isOfTheRun(name));
  return others.filter((name) => name !== 'lost+found').map((name) => join(path, name));
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function mib(bytes: number): number {
  return Math.ceil(bytes / 1024 / 1024);
}
