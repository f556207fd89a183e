// Backups of a directory that no service uses: what is in them, what is rejected, and that nothing is left where none was made.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { chmod, chown, cp, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesIn } from '../../src/data-directory/data-dir.ts';
import { takeOwnership } from '../../src/data-directory/ownership.ts';
import { SqliteLedgerStore } from '../../src/stores/sqlite/index.ts';
import { ect } from '../cli/run.ts';
import { describeWhen } from '../support/need.ts';
import { MAIN } from '../support/service-process.ts';
import { CAN_MOUNT, NEED_TO_MOUNT, smallDisk } from '../support/small-disk.ts';
import { flipInIndex } from './flip-in-index.ts';
import { type Installation, KEY_ENTRIES, makeInstallation } from './installation.ts';

let made: Installation;
beforeAll(async () => {
  made = await makeInstallation();
});
afterAll(() => made[Symbol.asyncDispose]());

const ENTRIES = KEY_ENTRIES + 5;

/** Names, modes and contents of a directory. */
function contentsOf(directory: string): readonly string[] {
  return readdirSync(directory)
    .sort()
    .map((name) => {
      const path = join(directory, name);
      const stats = lstatSync(path);
      return `${name} ${stats.mode} ${stats.isFile() ? readFileSync(path, 'base64') : ''}`;
    });
}

function isDirectoryAt(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** What a directory has beside the data directory and its copies. */
function isNothingAt(directory: string): boolean {
  return !existsSync(directory) && !existsSync(`${directory}.new`);
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

describe('L19 a backup of a directory at rest', () => {
  test('L40: a directory whose ledger was copied elsewhere is not backed up: restored it would have two histories', async () => {
    const dataDir = await made.copy();
    writeFileSync(join(dataDir, 'ledger.moved'), 'copied to a database');
    const directory = made.path('moved');
    const { code, out } = await ect(['backup', directory, '--data-dir', dataDir, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ error: { reason: 'directory_unusable' } });
    expect(isNothingAt(directory)).toBe(true);
  });

  test('holds every file of a restore, for its owner only, and says what it is; the source stays as it is', async () => {
    const before = contentsOf(made.dataDir);
    const directory = made.path('backup');
    const { code, out } = await ect(['backup', directory, '--data-dir', made.dataDir, '--json']);
    expect(code).toBe(0);
    const told = JSON.parse(out);
    expect(told).toMatchObject({ directory, treeSize: String(ENTRIES), left: [] });
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    const names = readdirSync(directory).sort();
    expect(names).toEqual(
      [
        'SHA256SUMS',
        'backup.json',
        'clock.json',
        'ledger.db',
        'ledger.key',
        'ledger.mark',
        'once.db',
        'signing-key.pem',
      ].sort(),
    );
    expect(told.files.toSorted()).toEqual(names);
    for (const name of names) expect(statSync(join(directory, name)).mode & 0o777, name).toBe(0o600);
    for (const name of ['ledger.key', 'signing-key.pem']) {
      expect(readFileSync(join(directory, name))).toEqual(readFileSync(join(made.dataDir, name)));
    }
    const manifest = JSON.parse(readFileSync(join(directory, 'backup.json'), 'utf8'));
    expect(manifest).toMatchObject({ format: 1, ledger: { size: ENTRIES, rootHash: told.rootHash } });
    expect(Math.abs(Date.now() - Date.parse(manifest.createdAt))).toBeLessThan(600_000);
    // What coreutils make of it.
    const check = spawnSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: directory, encoding: 'utf8' });
    expect([check.status, check.stdout.split('\n').length - 1]).toEqual([0, names.length - 1]);
    expect(contentsOf(made.dataDir)).toEqual(before);
  });

  test('is audited where it lies, and nothing is made beside it', async () => {
    const directory = made.path('backup');
    expect((await ect(['backup', directory, '--data-dir', made.dataDir])).code).toBe(0);
    const before = contentsOf(directory);
    const { code, out } = await ect(['audit', join(directory, 'ledger.db')]);
    expect([code, out]).toEqual([0, expect.stringMatching(/high-water mark +7 entries were shown/)]);
    expect(contentsOf(directory)).toEqual(before);
  });

  test('has what a killed service left in its write-ahead file', async () => {
    const dataDir = made.path('killed');
    await cp(made.early, dataDir, { recursive: true });
    expect(statSync(join(dataDir, 'ledger.db-wal')).size).toBeGreaterThan(0);
    const { code, out } = await ect(['backup', made.path('backup'), '--data-dir', dataDir, '--json']);
    expect([code, JSON.parse(out).treeSize]).toEqual([0, String(KEY_ENTRIES + 3)]);
  });

  test('has the database that a link leads to, with its write-ahead file', async () => {
    const dataDir = made.path('linked');
    await cp(made.early, dataDir, { recursive: true });
    const elsewhere = made.path('disk');
    await mkdir(elsewhere);
    for (const end of ['', '-wal']) {
      await rename(join(dataDir, `ledger.db${end}`), join(elsewhere, `ledger.db${end}`));
    }
    await symlink(join(elsewhere, 'ledger.db'), join(dataDir, 'ledger.db'));
    const { code, out } = await ect(['backup', made.path('backup'), '--data-dir', dataDir, '--json']);
    expect([code, JSON.parse(out).treeSize]).toEqual([0, String(KEY_ENTRIES + 3)]);
  });

  test('says what is not in it: a key that is not there, and what else lies in the directory', async () => {
    const dataDir = await made.copy();
    await rm(join(dataDir, 'signing-key.pem'));
    await rm(join(dataDir, 'once.db'));
    await mkdir(join(dataDir, 'old-ledger-20260101T000000000Z'));
    const { code, err } = await ect(['backup', made.path('backup'), '--data-dir', dataDir]);
    expect(code).toBe(0);
    expect(err).toContain('Not in the backup: data-dir:signing-key.pem');
    expect(err).toContain(`Not in the backup: ${join(dataDir, 'old-ledger-20260101T000000000Z')}`);
    expect(err).toContain('There is no once.db');
  });

  test('takes the place of an empty directory, and of what a killed backup left', async () => {
    const directory = made.path('backup');
    await mkdir(directory);
    await mkdir(`${directory}.new`);
    for (const name of ['unfinished', 'signing-key.pem', 'ledger.db-journal']) {
      writeFileSync(join(`${directory}.new`, name), 'left behind');
    }
    expect((await ect(['backup', directory, '--data-dir', made.dataDir])).code).toBe(0);
    expect(readdirSync(directory)).toContain('SHA256SUMS');
    expect(readdirSync(directory)).not.toContain('unfinished');
    expect(existsSync(`${directory}.new`)).toBe(false);
  });
});

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
    ['of nothing', (path) => rm(path, { recursive: true }), 'no_ledger', 'holds no ledger'],
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

describeWhen(CAN_MOUNT, 'L15 L19 on a disk that is full', NEED_TO_MOUNT, () => {
  test.each([
    ['at once', 1, 'MiB are needed'],
    ['half way: when the first copy is there', 8, 'no space left'],
  ])('no backup is made, %s', async (_, freeMib, message) => {
    await using disk = await smallDisk(freeMib, 0);
    const dataDir = await made.copy();
    // Free pages at the end: it takes them as they are.
    const pad = freeMib === 1 ? 2 : 5;
    const sql = `CREATE TABLE pad(x); INSERT INTO pad VALUES (zeroblob(${pad} * 1048576)); DROP TABLE pad;`;
    for (const file of ['ledger.db', 'once.db']) {
      const connection = new DatabaseSync(join(dataDir, file));
      connection.exec(sql);
      connection.close();
    }
    const directory = disk.file('backup');
    const { code, err } = await ect(['backup', directory, '--data-dir', dataDir]);
    expect(err).toContain('STORAGE_FULL');
    expect(err).toContain(message);
    expect(code).toBe(1);
    expect(isNothingAt(directory)).toBe(true);
  });
});

describeWhen(process.getuid?.() === 0, 'L19 for another user', 'the right to be another user', () => {
  test.each(['that is empty', 'with what an unfinished backup left'])('who owns the directory %s', async (what) => {
    const directory = made.path('backup');
    const draft = `${directory}.new`;
    await mkdir(draft);
    if (what !== 'that is empty') writeFileSync(join(draft, 'unfinished'), '');
    await chown(draft, 1234, 1234);
    const before = contentsOf(draft);
    const { code, err } = await ect(['backup', directory, '--data-dir', made.dataDir]);
    expect(err).toContain(`${draft} exists already, and belongs to another user (1234), who could read the keys.`);
    expect(err).toContain('backup_exists');
    expect(code).toBe(1);
    expect(contentsOf(draft)).toEqual(before);
    expect(existsSync(directory)).toBe(false);
  });

  test('who may not read the directory: it says who may', async () => {
    await chmod(made.folder, 0o755);
    const into = made.path('theirs');
    await mkdir(into);
    await chown(into, 1000, 1000);
    const args = [MAIN, 'backup', join(into, 'backup'), '--data-dir', made.dataDir];
    const { status, stderr } = spawnSync(process.execPath, args, { uid: 1000, gid: 1000, cwd: '/', encoding: 'utf8' });
    expect(stderr).toContain(`user 1000 may not enter ${made.dataDir} (owner: user 0, mode 0700)`);
    expect(stderr).toContain('Run the command as the user of the service.');
    expect(status).toBe(1);
  });
});

describeWhen(process.getuid?.() === 0, 'L19 S11 in a container', 'the right to be another user', () => {
  test('as its user, from and to volumes of that user, by the entry point of the image', async () => {
    await chmod(made.folder, 0o755);
    const [data, backups] = [made.path('volume'), made.path('volume')];
    await cp(made.dataDir, data, { recursive: true });
    await mkdir(backups);
    for (const path of [data, backups, ...readdirSync(data).map((name) => join(data, name))])
      await chown(path, 1000, 1000);
    const options = { uid: 1000, gid: 1000, cwd: '/', encoding: 'utf8' } as const;
    const run = (args: readonly string[], dataDir: string) =>
      spawnSync(process.execPath, [MAIN, ...args], {
        ...options,
        env: { NODE_ENV: 'production', ECT_DATA_DIR: dataDir },
      });
    const backup = join(backups, '2026-03-01');
    expect(run(['backup', backup], data)).toMatchObject({ status: 0 });
    const fresh = made.path('volume');
    await mkdir(fresh);
    await chown(fresh, 1000, 1000);
    expect(run(['restore', backup], fresh)).toMatchObject({ status: 0 });
    for (const name of readdirSync(fresh)) expect(statSync(join(fresh, name)).uid, name).toBe(1000);
    // Root would leave files that the service cannot read.
    const { code, err } = await ect(['restore', backup, '--data-dir', fresh, '--replace', '--yes']);
    expect([code, err]).toEqual([1, expect.stringContaining('Run the command as user 1000.')]);
  });
});
