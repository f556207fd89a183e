import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Kid } from '../../../src/keys/index.ts';
import { holdToPin, KmsKeyError } from '../../../src/signers/aws-kms/index.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-pin-'));
  path = join(folder, 'kms-key.json');
});
afterEach(() => rm(folder, { recursive: true }));

const PIN = { keyId: 'mrk-1', kid: 'kid-1' as Kid };

async function rejectionOf(holding: Promise<void>): Promise<string> {
  const error: unknown = await holding.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(KmsKeyError);
  return (error as Error).message;
}

test('the first start writes down which key it is, for this user only; later ones find the same', async () => {
  await holdToPin(path, PIN);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(PIN);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await holdToPin(path, PIN);
});

test('D6: a name that leads to another key since then stops the start', async () => {
  await holdToPin(path, PIN);
  const message = await rejectionOf(holdToPin(path, { keyId: 'mrk-2', kid: 'kid-2' as Kid }));
  expect(message).toContain('is another key (mrk-2, kid kid-2)');
  expect(message).toContain(`point it back, or remove ${path} to change keys`);
});

test('D7: a key whose public key is another since then stops the start', async () => {
  await holdToPin(path, PIN);
  expect(await rejectionOf(holdToPin(path, { ...PIN, kid: 'kid-2' as Kid }))).toContain('has another public key');
});

test('D6: the same public key under another key id stops the start too', async () => {
  await holdToPin(path, PIN);
  expect(await rejectionOf(holdToPin(path, { ...PIN, keyId: 'mrk-2' }))).toContain('is another key');
});

test('D7: of two that start at once with different keys one is rejected', async () => {
  const other = { keyId: 'mrk-2', kid: 'kid-2' as Kid };
  const results = await Promise.allSettled([holdToPin(path, PIN), holdToPin(path, other)]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test.each(['', 'null', '5', '[]', '{"keyId":"mrk-1"}', '{"keyId":1,"kid":"kid-1"}', 'garbage'])(
  'D7: a pin that says %s is not guessed at',
  async (text) => {
    await writeFile(path, text, { mode: 0o600 });
    expect(await rejectionOf(holdToPin(path, PIN))).toContain('does not say which key is used here');
    expect(await readFile(path, 'utf8')).toBe(text);
  },
);

test('D7: a pin that others can change is rejected', async () => {
  await writeFile(path, JSON.stringify(PIN));
  await chmod(path, 0o666);
  expect(await rejectionOf(holdToPin(path, PIN))).toBe(`The file ${path} can be read by others: run chmod 600 on it.`);
});

test('D7: a place where no pin can be kept is rejected', async () => {
  expect(await rejectionOf(holdToPin(join(folder, 'missing', 'kms-key.json'), PIN))).toContain(
    'can be neither made nor read',
  );
});
