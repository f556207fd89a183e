// Makes a backup of a data directory, also while a service uses it. The order of copying makes the files consistent: first the ledger,
// then everything that may be newer than the ledger but must not be older.

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

/** Makes a backup of `dataDir` in `directory`, which exists only if the whole backup is intact and durable. */
export async function makeBackup(dataDir: string, directory: string, onExamined: OnExamined): Promise<BackupFacts> {
  const source = await demandLedger(dataDir);
  rejectInside(source.path, directory);
  const createdAt = new Date();
  const startedMs = performance.now();
  await using draft = await Draft.begin(directory);
  try {
    await rejectSmallDisk(source, draft);
    // The mark is never ahead of the ledger. So a mark that is read first contradicts the ledger only if the ledger has lost entries.
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

/** Rejects a backup inside of the data directory: it would be lost with it, and would be part of the next backup. */
function rejectInside(dataDir: string, directory: string): void {
  const target = realPlace(directory);
  if (!isWithin(target, realPlace(dataDir))) return;
  throw rejection(
    'backup_unwritable',
    target === realPlace(dataDir) ? `${target} is the data directory itself.` : `${target} is inside of ${dataDir}.`,
    'Name a directory outside of it, on another disk.',
  );
}

/** Checks that the directory has a readable ledger and its key. */
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

/** Checks the free space before copying. It is an estimate: the write-ahead files may grow. */
async function rejectSmallDisk(source: DataDir, { path }: Draft): Promise<void> {
  const needed = bytesOf(source.ledger) + bytesOf(source.once);
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize >= needed) return;
  throw noSpace(dirname(path), `: ${mib(needed)} MiB are needed, ${mib(bavail * bsize)} MiB are free`);
}

/** Returns the newest published checkpoint of the source. */
function readMark(source: DataDir): readonly KeptCheckpoint[] {
  try {
    return MarkFile.read(source.mark);
  } catch (error) {
    if (!(error instanceof HistoryLost)) throw error;
    throw lostHistory(error, source);
  }
}

/** Copies the files that a restore needs into `path`. Returns their names. */
async function copyAll(source: DataDir, path: string): Promise<readonly string[]> {
  // Before the ledger: a recording that is pending now may be completed and deleted before its file is copied.
  const open = openRecordingsIn(source.once);
  await makeEmptyFile(join(path, LEDGER));
  // This is the time of the backup: it contains each entry that was acknowledged before.
  await copyLedger(source.ledger, join(path, LEDGER));
  const names = [LEDGER];
  // After the ledger: a request id is stored before the token is recorded, so no entry lacks its request id. Uses and keys that are newer
  // than the ledger do no harm.
  if (existsSync(source.once)) {
    await makeEmptyFile(join(path, ONCE));
    await copyOnce(source.once, join(path, ONCE));
    addOpenRecordings(join(path, ONCE), open);
    names.push(ONCE);
  }
  // A key file is created before its key is announced and never changes, so no announced key lacks its file.
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
    // The examination of the copy reports the damage.
    if (error instanceof EctError && error.reason === 'ONCE_CORRUPT') return [];
    throw error;
  }
}

/** Writes a mark for exactly this copy, so that a start detects any later loss. */
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

/** SQLite would create the file readable for all users. */
async function makeEmptyFile(path: string): Promise<void> {
  await (await open(path, 'wx', 0o600)).close();
}

/** Returns the other files of the directory, which the operator may want to keep: an old ledger, for example. */
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
