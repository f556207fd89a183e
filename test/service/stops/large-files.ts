// A ledger whose write-ahead file is as large as a busy one may become, with the content that it had.

import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** `file` must be at rest. From 4,000 pages on the next commit has them moved, by a thread. */
export function enlargeWriteAheadFile(file: string, pages: number): void {
  const aside = mkdtempSync(`${file}-`);
  const database = new DatabaseSync(file);
  database.exec('PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=OFF');
  const { page_size: pageBytes } = database.prepare('PRAGMA page_size').get() as { page_size: number };
  do database.exec('VACUUM');
  while (statSync(`${file}-wal`).size < pages * pageBytes);
  const names = ['', '-wal'];
  for (const name of names) copyFileSync(`${file}${name}`, join(aside, `copy${name}`));
  // This moves the pages; what was copied stands for a process that was killed before it could.
  database.close();
  for (const name of names) copyFileSync(join(aside, `copy${name}`), `${file}${name}`);
  rmSync(`${file}-shm`, { force: true });
  rmSync(aside, { recursive: true });
}
