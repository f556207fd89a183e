// Changes the files of a data directory for those of a backup. The key of the ledger goes first and comes last: without it no start
// takes the files, whatever of them is there, and none makes a new key beside `ledger.db`.

import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataDir } from '../data-directory/data-dir.ts';
import { linkAside, syncDirectory } from '../files/atomic-files.ts';
import { LEDGER, LEDGER_KEY, UNFINISHED } from './names.ts';

/**
 * Puts the files in `stage` into the directory. Those of `replaced`, which belong to a data directory, are kept in a directory
 * inside it, which is answered. The process owns the directory.
 */
export async function swapIn(dir: DataDir, stage: string, replaced: readonly string[]): Promise<string | undefined> {
  const keptIn = replaced.length === 0 ? undefined : await keepAside(dir, replaced);
  const coming = (await readdir(stage)).filter((name) => name !== UNFINISHED);
  await rm(dir.ledgerKey, { force: true });
  await syncDirectory(dir.path);
  // First, as a write-ahead file must not meet another database than its own.
  for (const name of replaced.filter((file) => !coming.includes(file))) await rm(join(dir.path, name), { force: true });
  const rest = coming.filter((name) => name !== LEDGER && name !== LEDGER_KEY);
  for (const name of [LEDGER, ...rest]) await rename(join(stage, name), join(dir.path, name));
  await syncDirectory(dir.path);
  // From here on the directory is that of the backup.
  await rename(join(stage, LEDGER_KEY), dir.ledgerKey);
  await syncDirectory(dir.path);
  return keptIn;
}

/** All of them are in the other directory, and on the disk, before any is taken away. */
async function keepAside(dir: DataDir, names: readonly string[]): Promise<string> {
  const keptIn = join(dir.path, `old-data-${new Date().toISOString().replaceAll(/[^0-9TZ]/g, '')}`);
  await linkAside(dir.path, names, keptIn);
  return keptIn;
}
