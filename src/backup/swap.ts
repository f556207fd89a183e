// Changes the files of a data directory for those of a backup. The key of the ledger goes first and comes last: without it no start
// takes the files, whatever of them is there, and none makes a new key beside `ledger.db`.

import { link, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataDir } from '../data-dir.ts';
import { isOfTheRun, LEDGER, LEDGER_KEY, mayHold, UNFINISHED } from './names.ts';

/**
 * Puts the files in `stage` into the directory. Those of `before` that belong to a data directory are kept in a directory inside
 * it, which is answered; those of `stayed` stay. The process owns the directory.
 */
export async function swapIn(
  dir: DataDir,
  stage: string,
  before: readonly string[],
  stayed: readonly string[],
): Promise<string | undefined> {
  const isStaying = (name: string) => stayed.some((file) => name === file || name.startsWith(`${file}-`));
  const replaced = before.filter((name) => (mayHold(name) || isOfTheRun(name)) && !isStaying(name));
  const keptIn = replaced.length === 0 ? undefined : await keepAside(dir, replaced);
  const coming = (await readdir(stage)).filter((name) => name !== UNFINISHED);
  await rm(dir.ledgerKey, { force: true });
  await sync(dir.path);
  // First, as a write-ahead file must not meet another database than its own.
  for (const name of replaced.filter((file) => !coming.includes(file))) await rm(join(dir.path, name), { force: true });
  const rest = coming.filter((name) => name !== LEDGER && name !== LEDGER_KEY);
  for (const name of [LEDGER, ...rest]) await rename(join(stage, name), join(dir.path, name));
  await sync(dir.path);
  // From here on the directory is that of the backup.
  await rename(join(stage, LEDGER_KEY), dir.ledgerKey);
  await sync(dir.path);
  return keptIn;
}

/** All of them are in the other directory, and on the disk, before any is taken away. */
async function keepAside(dir: DataDir, names: readonly string[]): Promise<string> {
  const keptIn = join(dir.path, `old-data-${new Date().toISOString().replaceAll(/[^0-9TZ]/g, '')}`);
  await mkdir(keptIn, { mode: 0o700 });
  for (const name of names) await link(join(dir.path, name), join(keptIn, name));
  await sync(keptIn);
  await sync(dir.path);
  return keptIn;
}

async function sync(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}
