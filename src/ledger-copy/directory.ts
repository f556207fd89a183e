// A data directory or a backup as the source or target of a copy.

import { existsSync, readFileSync, renameSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { isBackup, onceFaults } from '../backup/index.ts';
import { type DataDir, filesIn, openDataDir, readLedgerKey } from '../data-directory/data-dir.ts';
import { describeLoss } from '../data-directory/history-check.ts';
import { writeMoved } from '../data-directory/moved-ledger.ts';
import { type Ownership, takeOwnership } from '../data-directory/ownership.ts';
import { createFileOnce, syncDirectory } from '../files/atomic-files.ts';
import { fileTypeFault } from '../files/file-type.ts';
import { checkHistory, HistoryLost, type LedgerKey } from '../ledger/index.ts';
import { MarkFile } from '../stores/mark-file.ts';
import {
  ledgerKindFault,
  readOpenRecordings,
  SqliteExpiringKeyRows,
  SqliteLedgerStore,
} from '../stores/sqlite/index.ts';
import type { CopySource, CopyTarget } from './ends.ts';
import { directoryRejection, isCorrupt, rejection } from './rejections.ts';

/** Opens a directory as a source: a backup, or one that no service uses. Its files are only read. */
export async function openDirectorySource(path: string): Promise<CopySource> {
  const dir = filesIn(path);
  rejectOtherFiles(dir);
  const isOfBackup = isBackup(dir.path);
  let ownership: Ownership | undefined;
  try {
    // A backup may be on a read-only disk.
    ownership = isOfBackup ? undefined : await takeOwnership(dir);
    const key = await readLedgerKey(dir);
    if (key === undefined) throw noLedger(dir, 'its key is missing');
    return await openSource(dir, key, isOfBackup, () => ownership?.release());
  } catch (error) {
    ownership?.release();
    throw directoryRejection(error);
  }
}

function rejectOtherFiles(dir: DataDir): void {
  if (!existsSync(dir.ledger)) throw noLedger(dir, 'ledger.db is missing');
  const fault = fileTypeFault(dir.ledger) ?? ledgerKindFault(dir.ledger);
  if (fault !== undefined) throw noLedger(dir, fault);
}

function noLedger({ path }: DataDir, why: string) {
  const remedy = 'Name the data directory of a service that was started once, or a backup of it.';
  return rejection('no_ledger', `${path} holds no ledger: ${why}.`, remedy);
}

async function openSource(dir: DataDir, key: LedgerKey, isOfBackup: boolean, release: () => void): Promise<CopySource> {
  // If a service was killed, some pages are in the write-ahead file.
  const isAtRest = (file: string) => !existsSync(`${file}-wal`);
  const store = SqliteLedgerStore.openReadOnly(dir.ledger, isAtRest(dir.ledger));
  try {
    await rejectLoss(dir, store, key);
    const faults = existsSync(dir.once) ? await onceFaults(dir.once, isAtRest(dir.once)) : [];
    if (faults.length > 0) {
      const message = `${dir.once} is damaged: ${faults.slice(0, 3).join('; ')}.`;
      throw rejection('ONCE_CORRUPT', message, 'Restore the directory from a backup, and repeat the copy.');
    }
    const once = existsSync(dir.once) ? SqliteExpiringKeyRows.openReadOnly(dir.once, isAtRest(dir.once)) : undefined;
    return {
      name: dir.path,
      store,
      once,
      openRecordings: once === undefined ? 0 : readOpenRecordings(dir.once).length,
      key,
      retire: async (target) => {
        if (!isOfBackup) await writeMoved(dir, target);
      },
      close: async () => {
        await Promise.all([store.close(), once?.close()]);
        release();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Rejects a source that has lost entries, because its copy would hide the loss. */
async function rejectLoss(dir: DataDir, store: SqliteLedgerStore, { verifierKey }: LedgerKey): Promise<void> {
  try {
    await checkHistory(store, MarkFile.read(dir.mark), verifierKey);
  } catch (error) {
    // Other faults are found by the examination of the head.
    if (isCorrupt(error)) return;
    if (!(error instanceof HistoryLost)) throw error;
    throw rejection('history_lost', describeLoss(error, dir), 'A copy would hide the loss: none was made.');
  }
}

/** The suffix of files that are not complete. */
const DRAFT = '.copy';

/**
 * Opens a directory as a target: an empty one, or one that an interrupted copy has left. `keyFile` is the key of the ledger. It is added
 * last, so that no service starts before.
 */
export async function openDirectoryTarget(path: string, keyFile: string): Promise<CopyTarget> {
  let ownership: Ownership | undefined;
  try {
    const dir = await openDataDir(path);
    ownership = await takeOwnership(dir);
    await rejectFull(dir);
    return openTarget(dir, keyFile, ownership);
  } catch (error) {
    ownership?.release();
    throw directoryRejection(error);
  }
}

async function rejectFull(dir: DataDir): Promise<void> {
  const databases = [dir.ledger, dir.once].flatMap((file) => [file, `${file}${DRAFT}`]);
  const ours = databases.flatMap((file) => ['', '-wal', '-shm', '-journal'].map((end) => `${file}${end}`));
  const allowed = new Set([...ours, dir.lock, dir.owner, dir.mark].map((file) => basename(file)).concat('lost+found'));
  const others = (await readdir(dir.path)).filter((name) => !allowed.has(name));
  if (others.length === 0) return;
  throw rejection(
    'directory_not_empty',
    `${dir.path} is not empty: it holds ${others.slice(0, 3).join(', ')}.`,
    'Name an empty directory, or the one of a copy that was interrupted.',
  );
}

function openTarget(dir: DataDir, keyFile: string, ownership: Ownership): CopyTarget {
  // Without a draft the files may already have their final names; then only the key is missing.
  const [ledger, once] = [dir.ledger, dir.once].map((file) => (existsSync(file) ? file : `${file}${DRAFT}`));
  const store = SqliteLedgerStore.open(ledger!);
  const rows = SqliteExpiringKeyRows.open(once!);
  let isOpen = true;
  const closeStores = async () => {
    if (!isOpen) return;
    isOpen = false;
    await Promise.all([store.close(), rows.close()]);
  };
  return {
    name: dir.path,
    store,
    once: rows,
    finish: async (head) => {
      await closeStores();
      await MarkFile.replace(dir.mark, head);
      if (once !== dir.once) renameSync(once!, dir.once);
      if (ledger !== dir.ledger) renameSync(ledger!, dir.ledger);
      await syncDirectory(dir.path);
      // From here on it is a data directory.
      await createFileOnce(dir.ledgerKey, () => readFileSync(keyFile, 'utf8'));
    },
    close: async () => {
      await closeStores();
      ownership.release();
    },
  };
}
