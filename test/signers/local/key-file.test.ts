import { spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateKeyPem, KeyFileError, readKeyFile, readOrCreateKeyFile } from '../../../src/signers/local/index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-key-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(content: string | Uint8Array, mode = 0o600): Promise<string> {
  const path = join(folder, 'key');
  await writeFile(path, content, { mode });
  await chmod(path, mode);
  return path;
}

async function rejectionOf(reading: Promise<KeyObject>): Promise<string> {
  const error = await reading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeyFileError);
  return (error as KeyFileError).message;
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyObject, type: 'pkcs8' | 'sec1') => key.export({ type, format: 'pem' }).toString();
/** What `openssl ecparam -genkey` puts before the key: the name of the curve. */
const CURVE_BLOCK = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';

describe('reading', () => {
  test.each([
    ['PKCS#8', pem(privateKey, 'pkcs8')],
    ['SEC1', pem(privateKey, 'sec1')],
    ['SEC1 behind the name of its curve', `${CURVE_BLOCK}${pem(privateKey, 'sec1')}`],
    ['PEM with the line ends of Windows', pem(privateKey, 'pkcs8').replaceAll('\n', '\r\n')],
    ['PEM behind a remark', `signs for production\n${pem(privateKey, 'pkcs8')}`],
    ['a JWK', JSON.stringify(privateKey.export({ format: 'jwk' }))],
    [
      'a JWK on several lines, with more members',
      `\n${JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid: 'x' }, null, 2)}\n`,
    ],
    [
      'a JWK that says what it is for',
      JSON.stringify({
        ...privateKey.export({ format: 'jwk' }),
        use: 'sig',
        key_ops: ['sign', 'verify'],
        alg: 'ES256',
      }),
    ],
  ])('%s is read', async (_, text) => {
    expect((await readKeyFile(await put(text))).equals(privateKey)).toBe(true);
  });

  test('a key is found behind a symbolic link', async () => {
    const link = join(folder, 'link');
    await symlink(await put(pem(privateKey, 'pkcs8')), link);
    expect((await readKeyFile(link)).equals(privateKey)).toBe(true);
  });

  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const jwk = privateKey.export({ format: 'jwk' });
  const legacy = privateKey.export({ type: 'sec1', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'canary' });
  const locked = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'canary' });
  test.each([
    ['P-384', 'is not on P-256', pem(p384, 'pkcs8')],
    ['P-384 as a JWK', 'is not on P-256', JSON.stringify(p384.export({ format: 'jwk' }))],
    ['RSA', 'is not on P-256', pem(rsa, 'pkcs8')],
    ['Ed25519', 'is not on P-256', pem(generateKeyPairSync('ed25519').privateKey, 'pkcs8')],
    ['nothing', 'holds no private key', ''],
    ['blanks', 'holds no private key', ' \n\n'],
    ['garbage', 'holds no private key', 'canary canary canary'],
    ['a broken PEM', 'holds no private key', pem(privateKey, 'pkcs8').replace(/[A-Z]{2}/, '??')],
    ['half a PEM', 'holds no private key', pem(privateKey, 'pkcs8').slice(0, 100)],
    ['a public key', 'holds no private key', publicKey.export({ type: 'spki', format: 'pem' }).toString()],
    ['broken JSON', 'holds no private key', '{"kty":"EC","d":"canary'],
    ['JSON that is no key', 'holds no private key', '{"d":"canary"}'],
    ['a public JWK', 'holds no private key', JSON.stringify(publicKey.export({ format: 'jwk' }))],
    ['a symmetric JWK', 'holds no private key', '{"kty":"oct","k":"Y2FuYXJ5"}'],
    ['a JWK whose point is not on the curve', 'holds no private key', JSON.stringify({ ...jwk, x: jwk.y })],
    ['an encrypted PKCS#8 key', 'is encrypted', locked.toString()],
    ['an encrypted SEC1 key', 'is encrypted', legacy.toString()],
  ])('S4: a file with %s is rejected: it %s; nothing of it is shown', async (_, what, text) => {
    const path = await put(text);
    const message = await rejectionOf(readKeyFile(path));
    expect(message).toContain(path);
    expect(message).toContain(what);
    // The part behind the colon says what to do.
    expect(message).toMatch(/: .+\.$/s);
    for (const piece of text.match(/[A-Za-z0-9+/_-]{6,}/g) ?? []) {
      expect(message.replace(path, '')).not.toContain(piece);
    }
  });

  test.each([
    ['use must be sig', { use: 'enc' }],
    ['key_ops must be sign, with or without verify, and nothing else', { key_ops: ['verify'] }],
    ['key_ops must be sign, with or without verify, and nothing else', { key_ops: ['sign', 'deriveKey'] }],
    ['key_ops must be sign, with or without verify, and nothing else', { key_ops: 'sign' }],
    ['alg must be ES256', { alg: 'ECDH-ES' }],
  ])(
    'K4, S4: a JWK that is for something else is rejected: %s; the file is named and the key is not shown',
    async (what, members) => {
      const path = await put(JSON.stringify({ ...jwk, ...members }));
      const message = await rejectionOf(readKeyFile(path));
      expect(message).toBe(`The key in ${path} is not for signing tokens: ${what}. Correct the JWK, or give another.`);
    },
  );

  test.each([
    ['PKCS#8', locked.toString()],
    ['SEC1', legacy.toString()],
  ])(
    'S4: an encrypted %s key opens with its passphrase, and says nothing of either when it does not',
    async (_, text) => {
      const path = await put(text);
      expect((await readKeyFile(path, 'canary')).equals(privateKey)).toBe(true);
      for (const wrong of ['kanarie', 'canary ', '', 'x'.repeat(2000)]) {
        expect(await rejectionOf(readKeyFile(path, wrong))).toBe(
          `The key in ${path} does not open with the passphrase: check both; an intact PKCS#8 or SEC1 PEM is needed.`,
        );
      }
    },
  );

  test('S4: a passphrase is for an encrypted key: a plain one is not taken for it', async () => {
    const path = await put(pem(privateKey, 'pkcs8'));
    expect(await rejectionOf(readKeyFile(path, 'canary'))).toBe(
      `The key in ${path} is not encrypted, but a passphrase is set: encrypt it, or unset that.`,
    );
  });

  test('S4: an encrypted key on another curve is rejected too', async () => {
    const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'canary' } as const;
    const path = await put(p384.export(options).toString());
    expect(await rejectionOf(readKeyFile(path, 'canary'))).toContain('is not on P-256');
  });

  test.each([0o644, 0o604, 0o622, 0o666, 0o777])('S4: mode %o lets others at the key and is rejected', async (mode) => {
    const path = await put(pem(privateKey, 'pkcs8'), mode);
    expect(await rejectionOf(readKeyFile(path))).toBe(
      `The key file ${path} can be read by others: run chmod 600 on it.`,
    );
  });

  test.each([0o640, 0o660])('S11: mode %o of a file of this user: the group loses it', async (mode) => {
    const path = await put(pem(privateKey, 'pkcs8'), mode);
    expect((await readKeyFile(path)).equals(privateKey)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test.each([0o600, 0o400])('mode %o is private', async (mode) => {
    expect((await readKeyFile(await put(pem(privateKey, 'pkcs8'), mode))).equals(privateKey)).toBe(true);
  });

  test('S4: it is the file that counts, not the link that leads to it', async () => {
    const path = await put(pem(privateKey, 'pkcs8'), 0o644);
    const link = join(folder, 'link');
    await symlink(path, link);
    expect(await rejectionOf(readKeyFile(link))).toContain('can be read by others');
  });

  test('S4: a file that is not there, or is a directory, cannot be read', async () => {
    const missing = join(folder, 'missing');
    for (const [path, why] of [
      [missing, `there is no file ${missing}`],
      [folder, `${folder} is a directory, not a file`],
    ] as const) {
      expect(await rejectionOf(readKeyFile(path))).toBe(
        `The key file cannot be read: ${why}. Give the path of a PEM or JWK file.`,
      );
    }
  });
});

describe('the first start', () => {
  test('makes a key, PKCS#8 in a file of mode 0600, and leaves nothing else', async () => {
    const path = join(folder, 'signing-key.pem');
    const key = await readOrCreateKeyFile(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toBe(pem(key, 'pkcs8'));
    expect(await readdir(folder)).toEqual(['signing-key.pem']);
  });

  test('the next start reads the same key', async () => {
    const path = join(folder, 'signing-key.pem');
    const first = await readOrCreateKeyFile(path);
    expect((await readOrCreateKeyFile(path)).equals(first)).toBe(true);
  });

  test('a key that cannot be used is rejected and never replaced', async () => {
    const path = await put('damaged');
    expect(await rejectionOf(readOrCreateKeyFile(path))).toContain('holds no private key');
    expect(await readFile(path, 'utf8')).toBe('damaged');
  });

  test('a place where no file can be made is rejected', async () => {
    const path = join(await put(''), 'signing-key.pem');
    expect(await rejectionOf(readOrCreateKeyFile(path))).toBe(
      `The key file cannot be made: a part of ${path} is a file where a directory is needed. Its directory must be writable.`,
    );
  });

  test('50 that start at once use one key', async () => {
    const path = join(folder, 'signing-key.pem');
    const keys = await Promise.all(Array.from({ length: 50 }, () => readOrCreateKeyFile(path)));
    expect(keys.every((key) => key.equals(keys[0]!))).toBe(true);
    expect(await readdir(folder)).toEqual(['signing-key.pem']);
  });

  test('four processes that start at once use one key', async () => {
    const path = join(folder, 'signing-key.pem');
    const answers = await Promise.all(Array.from({ length: 4 }, () => openInChild(path)));
    expect(answers[0]).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    expect(new Set(answers).size).toBe(1);
    expect(await readdir(folder)).toEqual(['signing-key.pem']);
  });

  test('keys are never made twice', () => {
    expect(new Set(Array.from({ length: 20 }, generateKeyPem)).size).toBe(20);
  });
});

/** Opens the key file in a process of its own, which ends by itself, and answers the public key that it found. */
async function openInChild(path: string): Promise<string> {
  const keyFile = new URL('../../../src/signers/local/key-file.ts', import.meta.url).href;
  const script = `
    import { createPublicKey } from 'node:crypto';
    import { readOrCreateKeyFile } from ${JSON.stringify(keyFile)};
    const key = createPublicKey(await readOrCreateKeyFile(${JSON.stringify(path)}));
    process.stdout.write(key.export({ type: 'spki', format: 'pem' }));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  expect(await once(child, 'close')).toEqual([0, null]);
  return Buffer.concat(chunks).toString();
}
