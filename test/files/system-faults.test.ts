// The messages for errors of the operating system: what is missing, what is forbidden, and for whom.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileFault } from '../../src/files/system-faults.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ect-faults-'));
  // Other users are to reach what is in it.
  chmodSync(folder, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true }));

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** The fault as another user meets it, who may do less than the one who runs the tests. */
function faultForNobody(path: string, use: 'read' | 'written'): string {
  const script = `
    process.setgid(65534); process.setuid(65534);
    const { fileFault } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/files/system-faults.ts'))});
    const { open } = await import('node:fs/promises');
    const error = await open(process.argv[1], process.argv[2] === 'read' ? 'r' : 'a').catch((thrown) => thrown);
    process.stdout.write(fileFault(process.argv[1], error, process.argv[2]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, path, use]);
  expect(stderr.toString()).toBe('');
  return stdout.toString();
}

describe('a file', () => {
  test('that is missing is reported with the first missing directory', () => {
    const missing = systemError('ENOENT');
    expect(fileFault(join(folder, 'a'), missing)).toBe(`there is no file ${join(folder, 'a')}`);
    expect(fileFault(join(folder, 'b/c/d'), missing)).toBe(
      `there is no file ${join(folder, 'b/c/d')}, and no directory ${join(folder, 'b')}`,
    );
    expect(fileFault(join(folder, 'b/c'), missing, 'written')).toBe(
      `${join(folder, 'b/c')} cannot be made, since there is no directory ${join(folder, 'b')}`,
    );
  });

  test.skipIf(process.getuid?.() !== 0)(
    'that this user may not use: the message names the user, the owner and the mode',
    () => {
      const file = join(folder, 'secret.pem');
      writeFileSync(file, 'x', { mode: 0o600 });
      expect(faultForNobody(file, 'read')).toBe(`user 65534 may not read ${file} (owner: user 0, mode 0600)`);
      expect(faultForNobody(file, 'written')).toBe(`user 65534 may not write ${file} (owner: user 0, mode 0600)`);
      const closed = join(folder, 'closed');
      mkdirSync(closed, { mode: 0o700 });
      writeFileSync(join(closed, 'key.pem'), 'x', { mode: 0o644 });
      expect(faultForNobody(join(closed, 'key.pem'), 'read')).toBe(
        `user 65534 may not enter ${closed} (owner: user 0, mode 0700), which ${join(closed, 'key.pem')} lies below`,
      );
      expect(faultForNobody(join(folder, 'new'), 'written')).toBe(
        `user 65534 may not make ${join(folder, 'new')} in ${folder} (owner: user 0, mode 0755)`,
      );
    },
  );

  test.each([
    ['EISDIR', /is a directory, not a file$/],
    ['ENOTDIR', /is a file where a directory is needed$/],
    ['EROFS', /mounted read-only$/],
    ['ENOSPC', /no space left/],
    ['ELOOP', /symbolic links/],
    ['EMFILE', /too many files are open \(EMFILE\)$/],
    ['EIO', /cannot be read \(EIO\)$/],
  ])('%s says what it means', (code, rule) => {
    expect(fileFault('/x/y', systemError(code))).toMatch(rule);
    expect(fileFault('/x/y', systemError(code))).toContain('/x/y');
  });
});
