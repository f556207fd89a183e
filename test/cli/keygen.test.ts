import { createHash, createPrivateKey } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLedgerKey } from '../../src/ledger/index.ts';
import { ect } from './run.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ect-keygen-'));
});
afterAll(() => rm(directory, { recursive: true }));

test('a signing key is a P-256 PKCS#8 PEM that only its owner can read', async () => {
  const file = join(directory, 'signer.pem');
  expect((await ect(['keygen', '--out', file])).code).toBe(0);
  const pem = await readFile(file, 'utf8');
  expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  expect(createPrivateKey(pem).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('the kid is the RFC 7638 thumbprint of the printed public key, and nothing private is printed', async () => {
  const file = join(directory, 'other.pem');
  const { out, err } = await ect(['keygen', '--out', file, '--json']);
  const { kid, jwk } = JSON.parse(out) as { kid: string; jwk: Record<string, string> };
  const members = JSON.stringify({ crv: jwk['crv'], kty: jwk['kty'], x: jwk['x'], y: jwk['y'] });
  expect(kid).toBe(createHash('sha256').update(members).digest('base64url'));
  const { d } = createPrivateKey(await readFile(file, 'utf8')).export({ format: 'jwk' });
  expect(out + err).not.toContain(d);
});

test('an existing file is rejected and not touched', async () => {
  const file = join(directory, 'kept.pem');
  await ect(['keygen', '--out', file]);
  const before = await readFile(file, 'utf8');
  const again = await ect(['keygen', '--out', file]);
  expect(again.code).toBe(1);
  expect(again.err).toContain('file_exists');
  expect(again.out).toBe('');
  expect(await readFile(file, 'utf8')).toBe(before);
});

test('a file that cannot be written is rejected', async () => {
  const { code, err } = await ect(['keygen', '--out', join(directory, 'no', 'such', 'directory.pem')]);
  expect(code).toBe(1);
  expect(err).toContain('file_unwritable');
});

test("a ledger's key is kept private and its verifier key is printed alone", async () => {
  const file = join(directory, 'ledger.key');
  const { code, out, err } = await ect(['keygen', '--ledger', 'ledger.example/ect', '--out', file]);
  const text = (await readFile(file, 'utf8')).trimEnd();
  expect(code).toBe(0);
  expect(out).toBe(`${openLedgerKey(text).verifierKey}\n`);
  expect(out + err).not.toContain(text);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('a name that no ledger can have is wrong usage and leaves no file', async () => {
  const file = join(directory, 'bad-origin.key');
  expect((await ect(['keygen', '--ledger', 'a b', '--out', file])).code).toBe(2);
  await expect(stat(file)).rejects.toThrow('ENOENT');
});
