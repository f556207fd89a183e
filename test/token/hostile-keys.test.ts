import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/keys/index.ts';
import { encode, header, KID, keys, makeToken, payload, signingKey, signParts, trust } from '../support/tokens.ts';
import { judge, reasonFor } from './judge.ts';

const everything = { algorithms: ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256'] };
const publicKey = trust(signingKey).publicKey;
const jwk = publicKey.export({ format: 'jwk' }) as { readonly x: string; readonly y: string };

/** Everything that a verifier might take for the secret of an HMAC, because it verifies with it. */
const spellings: Readonly<Record<string, string | Buffer>> = {
  PEM: publicKey.export({ type: 'spki', format: 'pem' }),
  DER: publicKey.export({ type: 'spki', format: 'der' }),
  'JWK text': JSON.stringify(jwk),
  'raw point': Buffer.concat([Buffer.from([4]), Buffer.from(jwk.x, 'base64url'), Buffer.from(jwk.y, 'base64url')]),
  'x only': Buffer.from(jwk.x, 'base64url'),
};
const HASHES = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' } as const;
const hmacs = Object.entries(HASHES).flatMap(([alg, hash]) =>
  Object.entries(spellings).map(([spelling, secret]) => ({ alg, hash, spelling, secret })),
);

describe('T2: an HMAC under our public key', () => {
  test.each(hmacs)('$alg with the key as $spelling', ({ alg, hash, secret }) => {
    const mac = (input: string) => createHmac(hash, secret).update(input).digest();
    const input = `${encode({ ...header, alg })}.${encode(payload)}`;
    expect(reasonFor(`${input}.${mac(input).toString('base64url')}`)).toBe('ALG_NOT_ALLOWED');
    expect(reasonFor(`${input}.${mac(input).toString('base64url')}`, { policy: everything })).toBe('ALG_NOT_ALLOWED');
    // Even where somebody configured it, there is no row to verify it with.
    expect(reasonFor(`${input}.${mac(input).toString('base64url')}`, { policy: { algorithms: [alg] } })).toBe(
      'ALG_NOT_ALLOWED',
    );
    // Under the header of a real algorithm it is no signature, at its own length and at 64 bytes.
    const honest = `${encode(header)}.${encode(payload)}`;
    for (const bytes of [mac(honest), Buffer.concat([mac(honest), mac(honest)]).subarray(0, 64)]) {
      expect(reasonFor(`${honest}.${bytes.toString('base64url')}`)).toBe('SIGNATURE_INVALID');
    }
  });
});

const pairs = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  EdDSA: generateKeyPairSync('ed25519'),
  Ed25519: generateKeyPairSync('ed25519'),
  PS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
} as const;

function signAs(alg: string, key: KeyObject): string {
  const input = `${encode({ ...header, alg })}.${encode(payload)}`;
  const bytes = Buffer.from(input);
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const signatures: Readonly<Record<string, () => Buffer>> = {
    ES256: () => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }),
    ES384: () => sign('sha384', bytes, { key, dsaEncoding: 'ieee-p1363' }),
    ES512: () => sign('sha512', bytes, { key, dsaEncoding: 'ieee-p1363' }),
    ES256K: () => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }),
    EdDSA: () => sign(null, bytes, key),
    Ed25519: () => sign(null, bytes, key),
    PS256: () => sign('sha256', bytes, { key, ...pss }),
    PS384: () => sign('sha384', bytes, { key, ...pss, saltLength: 48 }),
    RS256: () => sign('sha256', bytes, key),
  };
  return `${input}.${signatures[alg]!().toString('base64url')}`;
}

describe('T3: other algorithms, under keys that are trusted and signatures that are good', () => {
  test.each(Object.entries(pairs))('T30: %s is verified where it is configured, and only there', (alg, pair) => {
    const ring = new KeyRing([trust(pair.publicKey)]);
    const token = signAs(alg, pair.privateKey);
    expect(reasonFor(token, { ring, policy: everything })).toBe('VALID');
    expect(reasonFor(token, { ring })).toBe(alg === 'ES256' ? 'VALID' : 'ALG_NOT_ALLOWED');
    const others = everything.algorithms.filter((name) => name !== alg);
    expect(reasonFor(token, { ring, policy: { algorithms: others } })).toBe('ALG_NOT_ALLOWED');
  });

  test.each([
    ['ES512', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['ES256K', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['RS256', pairs.PS256],
    ['PS384', pairs.PS256],
  ])('%s is never verified', (alg, pair) => {
    const ring = new KeyRing([trust(pair.publicKey)]);
    expect(reasonFor(signAs(alg, pair.privateKey), { ring, policy: everything })).toBe('ALG_NOT_ALLOWED');
  });

  test('T30: one key of Ed25519 verifies under both of its names', () => {
    const ring = new KeyRing([trust(pairs.EdDSA.publicKey)]);
    for (const alg of ['EdDSA', 'Ed25519']) {
      expect(reasonFor(signAs(alg, pairs.EdDSA.privateKey), { ring, policy: everything })).toBe('VALID');
    }
  });

  const names = Object.keys(pairs) as (keyof typeof pairs)[];
  test.each(names.flatMap((alg) => names.filter((kind) => kind !== alg).map((kind) => [alg, kind] as const)))(
    '%s does not go with the key of %s',
    (alg, kind) => {
      const token = signAs(alg, pairs[alg].privateKey);
      // EdDSA and Ed25519 take keys of one kind.
      const isOfOneKind = alg.startsWith('Ed') && kind.startsWith('Ed');
      expect(reasonFor(token, { ring: new KeyRing([trust(pairs[kind].publicKey)]), policy: everything })).toBe(
        isOfOneKind ? 'SIGNATURE_INVALID' : 'KEY_MISMATCH',
      );
    },
  );
});

describe('T4: a token that brings its own key', () => {
  const attacker = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = attacker.publicKey.export({ format: 'jwk' });
  const secret = attacker.privateKey.export({ format: 'jwk' }) as { readonly d: string };

  test('K1: is rejected, and no address in it is ever connected to', async () => {
    let connections = 0;
    const sink = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    sink.listen(0, '127.0.0.1');
    await once(sink, 'listening');
    const { port } = sink.address() as { readonly port: number };
    const urls = [`http://127.0.0.1:${port}/keys`, `https://127.0.0.1:${port}/keys`, `//127.0.0.1:${port}`];
    const members: readonly object[] = [
      { jwk: own },
      { jwk: { ...own, kid: KID } },
      { jwk: secret },
      { x5c: [attacker.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
      { x5t: 'AAAAAAAAAAAAAAAAAAAAAAAAAAA' },
      { 'x5t#S256': 'A'.repeat(43) },
      ...urls.flatMap((url) => [{ jku: url }, { x5u: url }, { kid: url }]),
      ...urls.map((url) => ({ jku: url, jwk: own, x5u: url })),
    ];
    try {
      for (const more of members) {
        for (const key of [attacker.privateKey, signingKey]) {
          const reason = reasonFor(makeToken({ iss: urls[0] }, more, key));
          expect(reason, JSON.stringify(more)).toBe('kid' in more ? 'KEY_UNKNOWN' : 'HEADER_FORBIDDEN');
        }
      }
      // The sink counts what reaches it: this connection, and none before it.
      expect(connections).toBe(0);
      await once(
        connect(port, '127.0.0.1').on('error', () => undefined),
        'close',
      );
      expect(connections).toBe(1);
    } finally {
      sink.close();
      await once(sink, 'close');
    }
  });

  test('is rejected without a word of the private key that it may bring', () => {
    const verdict = judge(makeToken({}, { jwk: secret }, attacker.privateKey), { question: { mode: 'report' } });
    expect(verdict).toMatchObject({
      ok: false,
      rejection: { reason: 'HEADER_FORBIDDEN', metadata: { member: 'jwk' } },
    });
    expect(JSON.stringify(verdict)).not.toContain(secret.d);
  });
});

describe('T1: none, in a token that is otherwise good', () => {
  const forms = ['none', 'None', 'NONE', 'noNE', 'nOnE', ' none', 'none ', '', 'null', '0', '[]', '{}'];
  test.each(forms)('alg %j', (alg) => {
    for (const text of [`${encode({ ...header, alg })}.${encode(payload)}.`, signParts({ ...header, alg }, payload)]) {
      expect(reasonFor(text, { policy: everything })).toBe('ALG_NOT_ALLOWED');
      expect(reasonFor(text, { policy: { algorithms: [alg] } })).toBe('ALG_NOT_ALLOWED');
    }
  });
});

test('T20: a key of one issuer does not sign for another, whichever algorithm it is of', () => {
  const ring = new KeyRing([trust(pairs.EdDSA.publicKey, { speaksFor: () => false })]);
  expect(reasonFor(signAs('EdDSA', pairs.EdDSA.privateKey), { ring, policy: everything })).toBe('ISSUER_MISMATCH');
  expect(keys.find(KID, 'urn:other')?.speaksFor('urn:other')).toBe(false);
});
