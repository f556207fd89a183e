// Replaces the files of a data directory with those of a backup. The key of the ledger is removed first and added last: without it every
// start rejects the files, and no start creates a new key beside `ledger.db`.

import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataDir } from '../data-directory/data-dir.ts';
import { linkAside, syncDirectory } from '../files/atomic-files.ts';
import { LEDGER, LEDGER_KEY, UNFINISHED } from './names.ts';

/**
 * Moves the files in `stage` into the directory. The `replaced` files are kept in a directory inside of it, whose path is returned. The
 * process must own the directory.
 */
export async function swapIn(dir: DataDir, stage: string, replaced: readonly string[]): Promise<string | undefined> {
  const keptIn = replaced.length === 0 ? undefined : await keepAside(dir, replaced);
  const coming = (await readdir(stage)).filter((name) => name !== UNFINISHED);
  await rm(dir.ledgerKey, { force: true });
  await syncDirectory(dir.path);
  // First, because a write-ahead file must not be applied to another database.
  for (const name of replaced.filter((file) => !coming.includes(file))) await rm(join(dir.path, name), { force: true });
  const rest = coming.filter((name) => name !== LEDGER && name !== LEDGER_KEY);
  for (const name of [LEDGER, ...rest]) await rename(join(stage, name), join(dir.path, name));
  await syncDirectory(dir.path);
  // From here on the directory contains the backup.
  await rename(join(stage, LEDGER_KEY), dir.ledgerKey);
  await syncDirectory(dir.path);
  return keptIn;
}

/** Copies the files into another directory and flushes them before any of them is removed. */
async function keepAside(dir: DataDir, names: readonly string[]): Promise<string> {
  const keptIn = join(dir.path, `old-data-${new Date().toISOString().replaceAll(/[^0-9TZ]/g, '')}`);
  await linkAside(dir.path, names, keptIn);
  return keptIn;
}
