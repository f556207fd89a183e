import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { trustFile } from '../../src/config-files/trust-file.ts';
import { StartError } from '../../src/data-directory/data-dir.ts';
import { KeyRing, type TrustedKey } from '../../src/keys/index.ts';
import { loadGroup } from '../../src/reload/index.ts';
import { verifyToken } from '../../src/token/index.ts';
import { type Issuer, readTrust } from '../../src/trust/index.ts';
import { tokenKey } from '../../src/trust/issuer.ts';
import { AUD, ISS, KID, makeToken, NOW, policy, signingKey } from '../support/tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'ect-trust-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fresh(kid: string): object {
  return { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid };
}
const { d: _, ...own } = signingKey.export({ format: 'jwk' });
const good = { iss: ISS, jwks: { keys: [{ ...own, kid: KID }] } };

function problemsOf(...issuers: readonly unknown[]): readonly string[] {
  return readTrust(JSON.stringify({ issuers })).problems;
}

/** The keys that are in the file itself. */
function keysOf(issuers: readonly Issuer[]): readonly TrustedKey[] {
  return issuers.flatMap(({ source, tokens }) =>
    source.kind === 'inline' ? source.keys.map((key) => tokenKey(key, tokens!)!) : [],
  );
}

function reasonUnder(entries: readonly object[], token: string): string {
  const { issuers, problems } = readTrust(JSON.stringify({ issuers: entries }));
  expect(problems).toEqual([]);
  const ring = new KeyRing(keysOf(issuers));
  const verdict = verifyToken(token, { now: NOW, audience: AUD, purpose: 'presented' }, policy, ring);
  return verdict.ok ? 'VALID' : verdict.rejection.reason;
}

/** As at the start. */
const readTrustFile = async (path: string) => (await loadGroup(trustFile(path))).value;

describe('a key of the file', () => {
  test('verifies the tokens of its issuer and of no other', () => {
    expect(reasonUnder([good], makeToken())).toBe('VALID');
    expect(reasonUnder([{ ...good, subjects: 'exact' }], makeToken({ iss: `${ISS}/b` }))).toBe('ISSUER_MISMATCH');
    expect(reasonUnder([{ ...good, iss: 'urn:other' }], makeToken())).toBe('ISSUER_MISMATCH');
  });

  test('speaks for the names below its issuer where the file says so', () => {
    const below = { ...good, subjects: 'below' };
    expect(reasonUnder([below], makeToken())).toBe('VALID');
    expect(reasonUnder([below], makeToken({ iss: `${ISS}/b` }))).toBe('VALID');
    expect(reasonUnder([below], makeToken({ iss: `${ISS}b` }))).toBe('ISSUER_MISMATCH');
  });

  test('T20: may bear the name that a key of another issuer bears', () => {
    const theirs = { iss: 'urn:theirs', jwks: { keys: [fresh(KID)] } };
    expect(reasonUnder([theirs, good], makeToken())).toBe('VALID');
    expect(reasonUnder([theirs, good], makeToken({ iss: 'urn:theirs' }))).toBe('SIGNATURE_INVALID');
  });

  test('K9: is rejected from the second of its revocation on, and out of its times', () => {
    const timed = (times: object) => [{ ...good, jwks: { keys: [{ ...own, kid: KID, ...times }] } }];
    expect(reasonUnder(timed({ revoked_at: NOW + 1 }), makeToken())).toBe('VALID');
    expect(reasonUnder(timed({ revoked_at: NOW }), makeToken())).toBe('KEY_REVOKED');
    expect(reasonUnder(timed({ nbf: NOW + 1 }), makeToken())).toBe('KEY_EXPIRED');
    expect(reasonUnder(timed({ exp: NOW }), makeToken())).toBe('KEY_EXPIRED');
  });
});

describe('K4: every mistake is named with its place', () => {
  test('all of them at once, and the other keys are still read', () => {
    const keys = [fresh('a'), { ...fresh('b'), d: 'x' }, { ...fresh('c'), use: 'enc' }, fresh('a'), 7];
    const { issuers, problems } = readTrust(JSON.stringify({ issuers: [{ iss: 'urn:a', jwks: { keys } }] }));
    expect(keysOf(issuers).map(({ kid }) => kid)).toEqual(['a']);
    expect(problems).toEqual([
      'issuers[0].jwks.keys[1]: it has the private member d: give the public key only.',
      'issuers[0].jwks.keys[2]: use must be sig.',
      'issuers[0].jwks.keys[3]: its kid is there twice.',
      'issuers[0].jwks.keys[4]: it must be an object.',
    ]);
  });

  test.each([undefined, 7, '', 'a', 'urn:', 'urn:a/', 'urn:a b', 'urn:é', `urn:${'a'.repeat(2048)}`])(
    'iss %j',
    (iss) => {
      expect(problemsOf({ ...good, iss })).toEqual(['issuers[0].iss: must be an absolute URI that ends in a name.']);
    },
  );

  test.each([
    'spiffe://example.com//a',
    'spiffe://example.com/%41',
    'spiffe://example.com/a;p',
    'SPIFFE://example.com/a',
  ])('A2: iss %s, which is no SPIFFE ID', (iss) => {
    const rule = 'issuers[0].iss: has the scheme spiffe, so it must be a SPIFFE ID.';
    expect(problemsOf({ ...good, iss })).toEqual([rule]);
  });

  test('an issuer that is there twice', () => {
    expect(problemsOf(good, good)).toEqual(['issuers[1].iss: is there twice: put its keys together.']);
  });

  test.each(['all', '', true, null])('subjects %j', (subjects) => {
    expect(problemsOf({ ...good, subjects })).toEqual(['issuers[0].subjects: must be exact or below.']);
  });

  test('an unknown member, which may be misspelt', () => {
    const rule =
      'issuers[0]: has the unknown member "subject"; known are iss, subjects, jwks, jwks_file, jwks_uri, discovery, authority, workload_api, fetch, use, algorithms, callers.';
    expect(problemsOf({ ...good, subject: 'below' })).toEqual([rule]);
    expect(readTrust(JSON.stringify({ issuers: [good], issuer: [] })).problems).toEqual([
      'the file: has the unknown member "issuer"; known are issuers.',
    ]);
  });

  test.each([
    [undefined, 'issuers[0]: must have exactly one of jwks, jwks_file, jwks_uri, discovery, authority, workload_api.'],
    [[], 'issuers[0].jwks: must be a JWK Set.'],
    [null, 'issuers[0].jwks: must be a JWK Set.'],
    ['x', 'issuers[0].jwks: must be a JWK Set.'],
    [{}, 'issuers[0].jwks: keys must be a list that is not empty.'],
    [{ keys: [] }, 'issuers[0].jwks: keys must be a list that is not empty.'],
    [{ keys: {} }, 'issuers[0].jwks: keys must be a list that is not empty.'],
  ])('jwks %j', (jwks, problem) => {
    expect(problemsOf({ ...good, jwks })).toEqual([problem]);
  });

  test('what is no object, no list, and no JSON', () => {
    expect(problemsOf(7, null)).toEqual(['issuers[0]: must be an object.', 'issuers[1]: must be an object.']);
    expect(problemsOf()).toEqual(['the file: issuers must be a list that is not empty.']);
    expect(readTrust('{"issuers":[],"issuers":[]}').problems).toEqual([
      '1:24: It is not strict JSON: it has a duplicate member.',
    ]);
    expect(readTrust('').problems).toHaveLength(1);
  });
});

describe('the file itself', () => {
  const write = (name: string, content: string | Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  test('is read', async () => {
    const issuers = await readTrustFile(write('good.json', JSON.stringify({ issuers: [good] })));
    expect(keysOf(issuers).map(({ kid }) => kid)).toEqual([KID]);
  });

  test('stops the start with every mistake in one message, and without a byte of a key', async () => {
    const keys = [
      { ...fresh('a'), d: 'canary' },
      { ...fresh('b'), use: 'canary' },
    ];
    const path = write('bad.json', JSON.stringify({ issuers: [{ iss: 'urn:a', jwks: { keys } }] }));
    const error = await readTrustFile(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StartError);
    expect(String(error)).toMatch(/keys\[0\].*\n.*keys\[1\]/);
    expect(String(error)).not.toContain('canary');
  });

  test.each([
    ['is not there', undefined, /cannot be read: there is no file .*missing\.json\.$/],
    ['is no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /is not UTF-8/],
    ['has more than 1 MiB', Buffer.alloc((1 << 20) + 1, 0x20), /is larger than 1 MiB/],
  ])('stops the start where it %s', async (title, content, rule) => {
    const path = content === undefined ? join(folder, 'missing.json') : write(`${title}.json`, content);
    await expect(readTrustFile(path)).rejects.toThrow(rule);
  });

  test('K4: names a missing key file, or one without a usable key; a bad key beside a good one is reported later', async () => {
    const jwks_file = write('keys.json', JSON.stringify({ keys: [fresh('a'), { ...fresh('b'), use: 'enc' }] }));
    const broken = write('broken.json', '{"keys":[]}');
    const path = (issuers: readonly object[]) => write('files.json', JSON.stringify({ issuers }));
    expect(await readTrustFile(path([{ iss: 'urn:a', jwks_file }]))).toHaveLength(1);
    await expect(readTrustFile(path([{ iss: 'urn:a', jwks_file: broken }]))).rejects.toThrow(/no key that can be used/);
    const missing = join(folder, 'none.json');
    await expect(readTrustFile(path([{ iss: 'urn:a', jwks_file: missing }]))).rejects.toThrow(/ENOENT.*none\.json/);
    for (const member of ['ca_file', 'token_file']) {
      const issuer = { iss: 'urn:a', jwks_uri: 'https://issuer.test/', fetch: { [member]: missing } };
      await expect(readTrustFile(path([issuer]))).rejects.toThrow(/urn:a: .*ENOENT.*none\.json/);
    }
  });
});
