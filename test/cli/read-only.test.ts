// Commands that only read a ledger file leave its directory as they found it.

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { demandRest } from '../../src/cli/ledger-file.ts';
import { directory, key, ledger } from './audited.ts';
import { ect } from './run.ts';

/** A copy of the ledger that no process has open. */
async function ledgerAtRest(name: string): Promise<string> {
  const folder = join(directory, name);
  await mkdir(folder);
  const open = new DatabaseSync(ledger, { readOnly: true });
  open.prepare('VACUUM INTO ?').run(join(folder, 'ledger.db'));
  open.close();
  // As a service leaves it: the header says that there is a write-ahead log, and there is none.
  const copy = new DatabaseSync(join(folder, 'ledger.db'));
  copy.exec('PRAGMA journal_mode = WAL');
  copy.close();
  return folder;
}

test.each([
  ['audit', (folder: string) => ['audit', join(folder, 'ledger.db'), '--ledger-key', key]],
  ['checkpoint --key', (folder: string) => ['checkpoint', '--key', '--data-dir', folder]],
  ['policy recorded', (folder: string) => ['policy', 'recorded', join(folder, 'ledger.db')]],
])('%s leaves no file beside the ledger', async (name, argv) => {
  const folder = await ledgerAtRest(name.replaceAll(' ', '-'));
  await ect(argv(folder));
  expect(await readdir(folder)).toEqual(['ledger.db']);
});

test('a service that begins to write the file while it is read without locks is noticed', async () => {
  const folder = await ledgerAtRest('begun');
  const path = join(folder, 'ledger.db');
  expect(() => demandRest({ path, isAtRest: true })).not.toThrow();
  await writeFile(`${path}-wal`, '');
  expect(() => demandRest({ path, isAtRest: true })).toThrow('a service has begun to write');
  expect(() => demandRest({ path, isAtRest: false })).not.toThrow();
});
