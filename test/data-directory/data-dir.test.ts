import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readAnchor, writeAnchor } from '../../src/clock/anchor-file.ts';
import { freshLedgerKey, openDataDir, readOrCreateLedgerKey, StartError } from '../../src/data-directory/data-dir.ts';
import { openLedgerKey } from '../../src/ledger/index.ts';

const anchor = { bootId: 'x', bootMs: 0, believedMs: 0, lagMs: 0, lagLeftMs: 0, forgottenMs: 0, excusedMs: 0 };
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-data-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function rejectionOf(starting: Promise<unknown>): Promise<string> {
  const error = await starting.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StartError);
  return (error as StartError).message;
}

describe('the directory', () => {
  test('is made with its parents, for its owner only', async () => {
    const path = join(folder, 'var', 'ect');
    await openDataDir(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect(await readdir(path)).toEqual([]);
  });

  test('that is there stays as it is', async () => {
    await writeFile(join(folder, 'kept'), '');
    await openDataDir(folder);
    await openDataDir(folder);
    expect(await readdir(folder)).toEqual(['kept']);
  });

  test('holds files of different names', async () => {
    const { path, ...names } = await openDataDir(folder);
    const files = Object.values(names);
    expect([path, new Set(files).size]).toEqual([folder, files.length]);
    expect(files.every((file: string) => file.startsWith(`${folder}/`))).toBe(true);
  });

  test.each(['clock.json', 'owner.json', 'ledger.damaged', 'once.damaged'])(
    'L9: a FIFO in the place of %s is rejected at once: to open it would wait for ever',
    async (name) => {
      execFileSync('mkfifo', ['-m', '600', join(folder, name)]);
      expect(await rejectionOf(openDataDir(folder))).toContain(`${join(folder, name)} is a FIFO, not a file`);
      // Also where it came later.
      writeAnchor(join(folder, name), anchor);
      expect(readAnchor(join(folder, name))).toBeUndefined();
    },
  );

  test('that cannot be made stops the start and says what to set', async () => {
    await writeFile(join(folder, 'file'), '');
    const path = join(folder, 'file', 'data');
    expect(await rejectionOf(openDataDir(path))).toBe(
      `The data directory cannot be made: a part of ${path} is a file where a directory is needed. ` +
        'Set ECT_DATA_DIR to one that this user can write.',
    );
  });
});

describe("the ledger's key", () => {
  test('is made at the first start, mode 0600, and found again', async () => {
    const dir = await openDataDir(folder);
    const { origin, verifierKey } = await readOrCreateLedgerKey(dir);
    expect((await stat(dir.ledgerKey)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['ledger.key']);
    expect(await readOrCreateLedgerKey(dir)).toMatchObject({ origin, verifierKey });
  });

  test('has a name of its own in every installation', () => {
    const origins = Array.from({ length: 20 }, () => openLedgerKey(freshLedgerKey()).origin);
    expect(new Set(origins).size).toBe(20);
  });

  test('of 20 that start at once all use the same one', async () => {
    const dir = await openDataDir(folder);
    const keys = await Promise.all(Array.from({ length: 20 }, () => readOrCreateLedgerKey(dir)));
    expect(new Set(keys.map(({ verifierKey }) => verifierKey)).size).toBe(1);
  });

  test('L8: a ledger without its key is not continued under another', async () => {
    const dir = await openDataDir(folder);
    await writeFile(dir.ledger, '');
    expect(await rejectionOf(readOrCreateLedgerKey(dir))).toBe(
      `${dir.ledger} is there but its key ${dir.ledgerKey} is not: restore the key from a backup.`,
    );
    expect(await readdir(folder)).toEqual(['ledger.db']);
  });

  test.each(['', 'canary', 'PRIVATE+KEY+canary+00000000+canary'])(
    'S4: a file that holds %j is no ledger key; it is neither shown nor replaced',
    async (text) => {
      const dir = await openDataDir(folder);
      await writeFile(dir.ledgerKey, text, { mode: 0o600 });
      const message = await rejectionOf(readOrCreateLedgerKey(dir));
      expect(message).toBe(`${dir.ledgerKey} does not hold a ledger key: restore it from a backup.`);
      expect(await readFile(dir.ledgerKey, 'utf8')).toBe(text);
    },
  );

  test('S4: a key that others can read stops the start', async () => {
    const dir = await openDataDir(folder);
    await readOrCreateLedgerKey(dir);
    await chmod(dir.ledgerKey, 0o604);
    expect(await rejectionOf(readOrCreateLedgerKey(dir))).toBe(
      `The key file ${dir.ledgerKey} can be read by others: run chmod 600 on it.`,
    );
  });

  test('a directory that has gone stops the start', async () => {
    const dir = await openDataDir(join(folder, 'data'));
    await rm(join(folder, 'data'), { recursive: true });
    expect(await rejectionOf(readOrCreateLedgerKey(dir))).toBe(
      `The key of the ledger can be neither made nor read: ${dir.ledgerKey} cannot be made, since there is no directory ${join(folder, 'data')}.`,
    );
  });
});
