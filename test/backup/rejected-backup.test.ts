// When no backup is made, and that nothing is left of the attempt.

import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { chmod, cp, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesIn } from '../../src/data-directory/data-dir.ts';
import { takeOwnership } from '../../src/data-directory/ownership.ts';
import { SqliteLedgerStore } from '../../src/stores/sqlite/index.ts';
import { ect } from '../cli/run.ts';
import { MAIN } from '../support/service-process.ts';
import { flipInIndex } from './flip-in-index.ts';
import { type Installation, makeInstallation } from './installation.ts';
import { contentsOf, isNothingAt } from './odd-files.ts';

let made: Installation;
beforeAll(async () => {
  made = await makeInstallation();
});
afterAll(() => made[Symbol.asyncDispose]());

function isDirectoryAt(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Something in the place of a file; `within`: names in it, where it is a directory. */
function makeOdd(kind: 'a FIFO' | 'a link' | 'a directory', path: string, within: readonly string[] = []): void {
  if (kind === 'a FIFO') spawnSync('mkfifo', ['-m', '600', path]);
  else if (kind === 'a link') symlinkSync('/nowhere/at/all', path);
  else {
    mkdirSync(path);
    for (const name of within) writeFileSync(join(path, name), '');
  }
}

describe('L19 no backup is made', () => {
  test.each<[string, (directory: string) => Promise<unknown>, string]>([
    ['over files', (path) => mkdir(path).then(() => writeFileSync(join(path, 'mine'), '')), 'is not empty'],
    ['over a file', async (path) => writeFileSync(path, ''), 'exists already'],
    ['over a link', (path) => symlink(dirname(path), path), 'exists already'],
    ...(['a FIFO', 'a link', 'a directory'] as const).map(
      (kind): [string, (directory: string) => Promise<unknown>, string] => [
        `where ${kind} has the name of the draft`,
        async (path) => makeOdd(kind, `${path}.new`, ['mine']),
        'is not what an unfinished backup left',
      ],
    ),
    ...(['a FIFO', 'a link', 'a directory'] as const).map(
      (kind): [string, (directory: string) => Promise<unknown>, string] => [
        `where ${kind} in a directory of that name is called unfinished`,
        async (path) => mkdir(`${path}.new`).then(() => makeOdd(kind, join(`${path}.new`, 'unfinished'))),
        'is not what an unfinished backup left',
      ],
    ),
    [
      'where a directory of another kind has the name of the draft',
      (path) => cp(made.dataDir, `${path}.new`, { recursive: true }),
      'is not what an unfinished backup left',
    ],
  ])('%s: that stays as it is', async (_, prepare, message) => {
    const directory = made.path('taken');
    await prepare(directory);
    const before = contentsOf(dirname(directory));
    const draft = isDirectoryAt(`${directory}.new`) ? contentsOf(`${directory}.new`) : undefined;
    const { code, err } = await ect(['backup', directory, '--data-dir', made.dataDir]);
    expect(err).toContain('backup_exists');
    expect(err).toContain(message);
    expect(code).toBe(1);
    expect(contentsOf(dirname(directory))).toEqual(before);
    if (draft !== undefined) expect(contentsOf(`${directory}.new`)).toEqual(draft);
  });

  test('over an empty directory of ours that all may enter: it is closed before a key comes into it', async () => {
    const directory = made.path('backup');
    await mkdir(`${directory}.new`);
    await chmod(`${directory}.new`, 0o777);
    expect(await ect(['backup', directory, '--data-dir', made.dataDir])).toMatchObject({ code: 0 });
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test('twice to one place at once', async () => {
    const directory = made.path('backup');
    await mkdir(`${directory}.new`);
    writeFileSync(join(`${directory}.new`, 'unfinished'), '');
    const ownership = await takeOwnership(filesIn(`${directory}.new`));
    writeFileSync(join(`${directory}.new`, 'ledger.db'), 'of the other one');
    try {
      const { code, err } = await ect(['backup', directory, '--data-dir', made.dataDir]);
      expect([code, err]).toEqual([1, expect.stringContaining('backup_running')]);
      expect(readFileSync(join(`${directory}.new`, 'ledger.db'), 'utf8')).toBe('of the other one');
    } finally {
      ownership.release();
    }
  });

  test.each<[string, (dataDir: string) => unknown, string, string]>([
    ['of a directory without a ledger', (path) => rm(join(path, 'ledger.db')), 'no_ledger', 'holds no ledger'],
    [
      'of something that is no ledger',
      (path) => cp(join(path, 'once.db'), join(path, 'ledger.db')),
      'no_ledger',
      'is once.db of a service, not a ledger',
    ],
    [
      'without the key of the ledger',
      (path) => rm(join(path, 'ledger.key')),
      'directory_unusable',
      'ledger.key is not',
    ],
    [
      'of a ledger whose index was damaged',
      (path) => flipInIndex(join(path, 'ledger.db')),
      'LEDGER_CORRUPT',
      'it is not found by its name',
    ],
    [
      'of a memory of uses that was damaged',
      (path) => writeFileSync(join(path, 'once.db'), readFileSync(join(path, 'once.db')).fill(0xff, 4096 * 4)),
      'ONCE_CORRUPT',
      'once.db is damaged',
    ],
    [
      'of a ledger that has lost entries, which a backup would hide',
      async (path) => {
        for (const end of ['', '-wal']) await cp(join(made.early, `ledger.db${end}`), join(path, `ledger.db${end}`));
      },
      'history_lost',
      'holds 5 entries, but this ledger has shown 7 entries',
    ],
    [
      'of a ledger that has lost its write-ahead file',
      (path) => cp(join(made.early, 'ledger.db'), join(path, 'ledger.db')),
      'history_lost',
      'is missing or empty, but this ledger has shown 7 entries',
    ],
    [
      'of a ledger that was never used',
      async (path) => {
        for (const name of ['ledger.db', 'ledger.mark']) await rm(join(path, name));
        await SqliteLedgerStore.open(join(path, 'ledger.db')).close();
      },
      'no_ledger',
      'holds nothing yet',
    ],
    [
      'whose mark is damaged',
      (path) => writeFileSync(join(path, 'ledger.mark'), Buffer.alloc(12_288, 1)),
      'history_lost',
      'ledger.mark in',
    ],
    [
      'with a key file that is not the announced key',
      (path) => rm(join(path, 'signing-key.pem')).then(() => ect(['keygen', '--out', join(path, 'signing-key.pem')])),
      'key_unusable',
      'signing-key.pem is not the key',
    ],
    [
      'with a ledger of another key',
      (path) =>
        rm(join(path, 'ledger.key')).then(() =>
          ect(['keygen', '--ledger', 'other.example/x', '--out', join(path, 'ledger.key')]),
        ),
      'files_changed',
      'belongs to another key',
    ],
  ])('%s', async (_, spoil, reason, message) => {
    const dataDir = await made.copy();
    await spoil(dataDir);
    const directory = made.path('backup');
    const { code, out } = await ect(['backup', directory, '--data-dir', dataDir, '--json']);
    const { error } = JSON.parse(out);
    expect(error.message).toContain(message);
    expect([code, error.reason]).toEqual([1, reason]);
    expect(error.remedy).not.toBe('');
    expect(out).not.toContain('PRIVATE');
    expect(isNothingAt(directory)).toBe(true);
  });

  test('of nothing, which is wrong usage', async () => {
    const [directory, missing] = [made.path('backup'), made.path('missing')];
    const { code, err } = await ect(['backup', directory, '--data-dir', missing, '--json']);
    expect([code, err]).toEqual([2, expect.stringContaining(`there is no directory ${missing}`)]);
    expect(isNothingAt(directory)).toBe(true);
  });

  test.each(['signing-key-2.pem', 'ledger.mark', 'once.db'])(
    'of a directory whose %s is a FIFO: nothing waits for it',
    async (name) => {
      const dataDir = await made.copy();
      await rm(join(dataDir, name), { force: true });
      spawnSync('mkfifo', ['-m', '600', join(dataDir, name)]);
      const directory = made.path('backup');
      const args = [MAIN, 'backup', directory, '--data-dir', dataDir];
      const { status, stderr } = spawnSync(process.execPath, args, {
        timeout: 8_000,
        killSignal: 'SIGKILL',
        encoding: 'utf8',
      });
      expect(stderr).toContain(`${join(dataDir, name)} is a FIFO, not a file`);
      expect(status).toBe(1);
      expect(isNothingAt(directory)).toBe(true);
    },
  );

  test.each<[string, (folder: string) => string]>([
    ['below a file', (folder) => join(folder, 'file', 'b')],
    ['below a FIFO', (folder) => join(folder, 'fifo', 'b')],
    ['below a link to itself', (folder) => join(folder, 'loop', 'b')],
    ['under a name that is too long', (folder) => join(folder, 'b'.repeat(300))],
  ])('%s: rejected by its path', async (_, pathIn) => {
    const folder = made.path();
    await mkdir(folder);
    writeFileSync(join(folder, 'file'), '');
    makeOdd('a FIFO', join(folder, 'fifo'));
    await symlink('loop', join(folder, 'loop'));
    const path = pathIn(folder);
    const { code, out } = await ect(['backup', path, '--data-dir', made.dataDir, '--json']);
    const { error } = JSON.parse(out);
    expect([code, error.reason]).toEqual([1, 'backup_unwritable']);
    expect(error.message).toContain(path);
    expect(error.message).not.toMatch(/^E[A-Z]+:/);
    expect(error.remedy).not.toBe('');
  });

  test('where the lock in the draft has a content that no backup gave it', async () => {
    const directory = made.path('backup');
    await mkdir(`${directory}.new`);
    for (const name of ['unfinished', 'owner.lock']) writeFileSync(join(`${directory}.new`, name), 'mine');
    const { code, err } = await ect(['backup', directory, '--data-dir', made.dataDir]);
    expect([code, err]).toEqual([1, expect.stringContaining('owner.lock has a content')]);
  });

  test('where no directory is above it', async () => {
    const { code, err } = await ect(['backup', join(made.path(), 'x', 'y'), '--data-dir', made.dataDir]);
    expect([code, err]).toEqual([1, expect.stringContaining('mkdir -p')]);
  });

  test('in the directory that it is of', async () => {
    const { code, err } = await ect(['backup', join(made.dataDir, 'backup'), '--data-dir', made.dataDir]);
    expect([code, err]).toEqual([1, expect.stringContaining('Name a directory outside of it')]);
    expect(isNothingAt(join(made.dataDir, 'backup'))).toBe(true);
    const link = made.path('link');
    await symlink(made.dataDir, link);
    expect(await ect(['backup', join(link, 'backup'), '--data-dir', made.dataDir])).toMatchObject({ code: 1 });
    expect(isNothingAt(join(made.dataDir, 'backup'))).toBe(true);
  });
});
