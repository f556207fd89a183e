// Two backups of one installation, and what a restore makes of them.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { filesIn, readLedgerKey } from '../../src/data-directory/data-dir.ts';
import { findLoss } from '../../src/data-directory/history-check.ts';
import { ect } from '../cli/run.ts';
import { type Installation, KEY_ENTRIES, makeInstallation } from './installation.ts';

export let made: Installation;
/** Backups of all entries, and of fewer. */
export let [backup, earlier] = ['', ''];
beforeAll(async () => {
  made = await makeInstallation();
  [backup, earlier] = [made.path('backup'), made.path('backup')];
  for (const [directory, dataDir] of [
    [backup, made.dataDir],
    [earlier, made.early],
  ] as const) {
    expect(await ect(['backup', directory, '--data-dir', dataDir])).toMatchObject({ code: 0 });
  }
});
afterAll(() => made[Symbol.asyncDispose]());

export const [ENTRIES, EARLIER] = [KEY_ENTRIES + 5, KEY_ENTRIES + 3];
export const NAMES = ['clock.json', 'ledger.db', 'ledger.key', 'ledger.mark', 'once.db', 'signing-key.pem'];

/** What a start sees: not who owned the directory. */
export function filesOf(directory: string): ReadonlyMap<string, string> {
  const names = readdirSync(directory).filter((name) => statSync(join(directory, name)).isFile());
  const relevant = names.filter((name) => !name.startsWith('owner.') && !name.endsWith('-shm'));
  return new Map(relevant.sort().map((name) => [name, readFileSync(join(directory, name), 'base64')]));
}

export async function restoring(directory: string, dataDir: string, ...options: readonly string[]) {
  const { code, out } = await ect(['restore', directory, '--data-dir', dataDir, '--json', ...options]);
  return { code, reported: JSON.parse(out) };
}

/** What a start rejects a directory for, reading only. */
export async function lossIn(dataDir: string): Promise<string | undefined> {
  const dir = filesIn(dataDir);
  return (await findLoss(dir, (await readLedgerKey(dir))!.verifierKey))?.kind;
}

export async function copyOf(directory: string, name = 'copy'): Promise<string> {
  const copy = made.path(name);
  await cp(directory, copy, { recursive: true });
  return copy;
}
