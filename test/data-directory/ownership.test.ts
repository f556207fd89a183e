// What lies in the place of the lock of a data directory. The rejection says what it is, and what to do.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { filesIn, StartError } from '../../src/data-directory/data-dir.ts';
import { joinOwner, takeOwnership } from '../../src/data-directory/ownership.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ect-owner-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const CONTENT = 'has a content, and the file that a service locks is empty';

test('L9 what lies in the place of the introduction of an owner holds nobody', async () => {
  const dir = filesIn(folder);
  spawnSync('mkfifo', [`${dir.owner}.new`]);
  const ownership = await takeOwnership(dir);
  expect(JSON.parse(readFileSync(dir.owner, 'utf8'))).toMatchObject({ pid: process.pid });
  ownership.release();
});

describe('L9 an owner.lock that no service made', () => {
  test.each<[string, (path: string) => unknown, string]>([
    ['a text', (path) => writeFileSync(path, 'not a database\n'.repeat(100)), CONTENT],
    ['a page of zeros and ones', (path) => writeFileSync(path, Buffer.alloc(8_192, 1)), CONTENT],
    ['a directory', (path) => mkdirSync(path), 'is a directory, not a file'],
    ['a FIFO', (path) => spawnSync('mkfifo', [path]), 'is a FIFO, not a file'],
    ['a link to nothing', (path) => symlinkSync('/nowhere/at/all', path), 'is a symbolic link to /nowhere/at/all'],
  ])('%s: rejected by name, by owner and worker', async (_, make, message) => {
    const dir = filesIn(folder);
    make(dir.lock);
    const errors = [
      await takeOwnership(dir).catch((error: unknown) => error),
      await (async () => joinOwner(dir))().catch((error: unknown) => error),
    ];
    for (const error of errors) {
      expect(error).toBeInstanceOf(StartError);
      expect((error as Error).message).toContain(dir.lock);
      expect((error as Error).message).toContain(message);
      expect((error as Error).message).not.toContain('ERR_SQLITE_ERROR');
    }
  });
});
