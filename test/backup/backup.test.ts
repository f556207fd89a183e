// Backups of a directory that no service uses: what is in them, what is rejected, and that nothing is left where none was made.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { chmod, chown, cp, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ect } from '../cli/run.ts';
import { describeWhen } from '../support/need.ts';
import { MAIN } from '../support/service-process.ts';
import { CAN_MOUNT, NEED_TO_MOUNT, smallDisk } from '../support/small-disk.ts';
import { type Installation, KEY_ENTRIES, makeInstallation } from './installation.ts';
import { contentsOf, isNothingAt } from './odd-files.ts';

let made: Installation;
beforeAll(async () => {
  made = await makeInstallation();
});
afterAll(() => made[Symbol.asyncDispose]());

const ENTRIES = KEY_ENTRIES + 5;

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
    const reported = JSON.parse(out);
    expect(reported).toMatchObject({ directory, treeSize: String(ENTRIES), left: [] });
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
    expect(reported.files.toSorted()).toEqual(names);
    for (const name of names) expect(statSync(join(directory, name)).mode & 0o777, name).toBe(0o600);
    for (const name of ['ledger.key', 'signing-key.pem']) {
      expect(readFileSync(join(directory, name))).toEqual(readFileSync(join(made.dataDir, name)));
    }
    const manifest = JSON.parse(readFileSync(join(directory, 'backup.json'), 'utf8'));
    expect(manifest).toMatchObject({ format: 1, ledger: { size: ENTRIES, rootHash: reported.rootHash } });
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
