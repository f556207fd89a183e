import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFileOnce, makeDirectory, readPrivateFile, removeDrafts } from '../../src/files/atomic-files.ts';
import { TOO_LARGE } from '../../src/files/bounded-read.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-files-'));
  path = join(folder, 'file');
});
afterEach(() => rm(folder, { recursive: true }));

test('a private file of gigabytes is not read', async () => {
  await writeFile(path, 'a key', { mode: 0o600 });
  await truncate(path, 3 * 1024 ** 3);
  await expect(readPrivateFile(path, { isOurs: true })).rejects.toMatchObject({ code: TOO_LARGE });
});

describe('creating a file once', () => {
  test('it has its content and mode 0600, and nothing else is left', async () => {
    await createFileOnce(path, () => 'content');
    expect(await readFile(path, 'utf8')).toBe('content');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['file']);
  });

  test('its mode does not depend on what the process takes away from new files', async () => {
    const before = process.umask(0);
    try {
      await createFileOnce(path, () => 'content');
    } finally {
      process.umask(before);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('a file that is there is left alone, and no content is made for it', async () => {
    await writeFile(path, 'first', { mode: 0o640 });
    const { mtimeMs, mode } = await stat(path);
    await createFileOnce(path, () => {
      throw new Error('content was asked for');
    });
    expect(await readFile(path, 'utf8')).toBe('first');
    expect(await stat(path)).toMatchObject({ mtimeMs, mode });
  });

  test('of 100 at once one wins, whole', async () => {
    const content = (at: number) => `${at}.`.repeat(20_000);
    await Promise.all(Array.from({ length: 100 }, (_, at) => createFileOnce(path, () => content(at))));
    const found = await readFile(path, 'utf8');
    expect(found).toBe(content(Number.parseInt(found, 10)));
    expect(await readdir(folder)).toEqual(['file']);
  });

  test('a concurrent reader finds no file or a complete one', async () => {
    const content = 'x'.repeat(1 << 20);
    let done = false;
    const creating = createFileOnce(path, () => content).finally(() => {
      done = true;
    });
    while (!done) {
      const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => error.code);
      expect(found === 'ENOENT' || found === content).toBe(true);
    }
    await creating;
  });

  test('a link that leads nowhere is not followed', async () => {
    await symlink(join(folder, 'elsewhere'), path);
    await createFileOnce(path, () => 'content');
    expect(await readdir(folder)).toEqual(['file']);
  });

  test('where the content cannot be made nothing is left', async () => {
    const making = createFileOnce(path, () => {
      throw new RangeError('no content');
    });
    await expect(making).rejects.toThrow(RangeError);
    expect(await readdir(folder)).toEqual([]);
  });

  test('where the directory is missing or a file it fails', async () => {
    await expect(createFileOnce(join(folder, 'none', 'file'), () => '')).rejects.toMatchObject({ code: 'ENOENT' });
    await writeFile(path, '');
    await expect(createFileOnce(join(path, 'file'), () => '')).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});

test('drafts that killed processes left are removed, and nothing else', async () => {
  const kept = ['key.pem', 'key.pem.new', 'key.pem.0123456789ab.new.kept', 'key.pem.0123456789AB.new'];
  for (const name of [...kept, 'key.pem.0123456789ab.new']) await writeFile(join(folder, name), 'x');
  await mkdir(join(folder, 'key.pem.ba9876543210.new'));
  await removeDrafts(folder);
  expect((await readdir(folder)).sort()).toEqual([...kept, 'key.pem.ba9876543210.new'].sort());
});

describe('reading a private file', () => {
  const OURS = { isOurs: true };

  test.each([0o600, 0o400, 0o700])('S4: mode %o: the text', async (mode) => {
    await writeFile(path, 'content');
    await chmod(path, mode);
    expect(await readPrivateFile(path, OURS)).toEqual({ text: 'content' });
    expect((await stat(path)).mode & 0o777).toBe(mode);
  });

  test.each([0o604, 0o602, 0o601, 0o664])('S4: mode %o: no output, and the mode is not changed', async (mode) => {
    await writeFile(path, 'content');
    await chmod(path, mode);
    for (const isOurs of [true, false]) {
      expect(await readPrivateFile(path, { isOurs })).toEqual({
        fault: 'can be read by others: run chmod 600 on it',
      });
    }
    expect((await stat(path)).mode & 0o777).toBe(mode);
  });

  test.each([0o640, 0o660, 0o620, 0o610])('S11: mode %o on a file of this user: the group loses it', async (mode) => {
    await writeFile(path, 'content');
    await chmod(path, mode);
    expect(await readPrivateFile(path, { isOurs: false })).toEqual({ text: 'content' });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('S11: a dry run reads it as well, and the group keeps what it has', async () => {
    await writeFile(path, 'content');
    await chmod(path, 0o660);
    expect(await readPrivateFile(path, { isOurs: false, isDryRun: true })).toEqual({ text: 'content' });
    expect((await stat(path)).mode & 0o777).toBe(0o660);
  });

  test('a file that is not there fails', async () => {
    await expect(readPrivateFile(path, OURS)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('making a directory', () => {
  const modeOf = async (directory: string) => (await stat(directory)).mode & 0o777;

  test('it and those above it are there, for their owner only; those that were there stay as they are', async () => {
    await chmod(folder, 0o750);
    await makeDirectory(join(folder, 'a/b/c'));
    expect(await modeOf(folder)).toBe(0o750);
    for (const made of ['a', 'a/b', 'a/b/c']) expect(await modeOf(join(folder, made))).toBe(0o700);
    await makeDirectory(join(folder, 'a/b'));
  });

  test('twenty may make the same one at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => makeDirectory(join(folder, 'a/b/c'))));
    expect(await modeOf(join(folder, 'a/b/c'))).toBe(0o700);
  });

  test('a file in its way is an error', async () => {
    await writeFile(path, '');
    await expect(makeDirectory(path)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeDirectory(join(path, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  test.runIf(process.platform === 'linux')(
    'a place where there can be none is an error, and no endless attempt',
    async () => {
      await expect(makeDirectory('/proc/ect/data')).rejects.toThrow('no directory can be made below /proc');
    },
  );
});
