import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeyFileError, readPassphrase } from '../../../src/signers/local/index.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-passphrase-'));
  file = join(folder, 'words');
});
afterEach(() => rm(folder, { recursive: true }));

async function read(content: string, mode = 0o600): Promise<string> {
  await writeFile(file, content);
  await chmod(file, mode);
  return readPassphrase({ file });
}

test('it is what the file holds, without the line end behind it', async () => {
  expect(await read('canary words')).toBe('canary words');
  expect(await read('canary words\n')).toBe('canary words');
  expect(await read(' canary\r\n')).toBe(' canary');
  expect(await read('canary\n\n')).toBe('canary\n');
});

test('it is what the environment says', async () => {
  expect(await readPassphrase({ reveal: () => 'canary words' })).toBe('canary words');
});

test.each([
  ['can be read by others', 'canary', 0o644],
  ['is empty', '', 0o600],
  ['is empty', '\n', 0o600],
  ['is too long', 'canary'.repeat(200), 0o600],
])('S4: a passphrase file that %s is rejected, with what to do and nothing of it', async (what, content, mode) => {
  const error: unknown = await read(content, mode).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(KeyFileError);
  expect(String(error)).toMatch(new RegExp(`words.* ${what}: `));
  expect(String(error)).not.toContain('canary');
});

test('S4: a passphrase file that is not there is rejected', async () => {
  await expect(readPassphrase({ file })).rejects.toThrow(
    `The file of ECT_LOCAL_KEY_PASSPHRASE_FILE cannot be read: there is no file ${file}.`,
  );
});
