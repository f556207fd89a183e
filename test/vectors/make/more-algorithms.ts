// Other algorithms than ES256, where a verifier accepts them for the tokens of foreign issuers.

import { constants, createPrivateKey, sign } from 'node:crypto';
import { invalid, valid } from './collect.ts';
import { P256, P384, signEcdsa, writePair } from './ecdsa.ts';
import { agentA, ed25519, ISS_ED25519, ISS_P384, ISS_RSA, p384, rsa, type TestKey } from './keys.ts';
import { PUBLIC_TEST_RSA_KEY } from './rsa-key.ts';
import { encode, header, payload, signParts, token } from './token.ts';

const profile = 'algorithms';
const issuers = new Map<TestKey, string>([
  [p384, ISS_P384],
  [ed25519, ISS_ED25519],
  [rsa, ISS_RSA],
]);

for (const [key, iss] of issuers) {
  valid(
    `algorithms/${key.alg.toLowerCase()}`,
    `${key.alg} verifies where it was added.`,
    { claims: { iss }, key },
    { profile, trusting: [iss] },
  );
}
valid(
  'algorithms/ed25519',
  'Ed25519 (RFC 9864) verifies where it was added, with the key of EdDSA.',
  { claims: { iss: ISS_ED25519 }, members: { alg: 'Ed25519' }, key: ed25519 },
  { profile, trusting: [ISS_ED25519] },
);
valid('algorithms/es256', 'ES256 verifies where others were added.', {}, { profile });
valid(
  'algorithms/eddsa-under-the-older-type',
  'Algorithm and draft have nothing to do with each other.',
  { claims: { iss: ISS_ED25519 }, members: { typ: 'wimse-exec+jwt' }, key: ed25519 },
  { profile, trusting: [ISS_ED25519] },
);

/** A token of the issuer of `key` whose header names `alg`, with a signature of its own making. */
function forged(key: TestKey, alg: string, makeSignature: (input: Buffer) => Buffer): string {
  const input = `${encode({ ...header, alg, kid: key.kid })}.${encode({ ...payload, iss: issuers.get(key) ?? payload.iss })}`;
  return `${input}.${encode(makeSignature(Buffer.from(input)))}`;
}
function bad(name: string, shows: string, key: TestKey, text: string, reason: string): void {
  invalid(`algorithms/${name}`, shows, text, reason, { profile, trusting: [issuers.get(key) ?? payload.iss] });
}

// The key fits the algorithm, whatever the header says. Each signature is good under the key.
const names = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256'];
for (const key of [agentA, p384, ed25519, rsa]) {
  for (const alg of names.filter((name) => name !== key.alg && !(key === ed25519 && name === 'Ed25519'))) {
    bad(
      `${alg.toLowerCase()}-with-a-key-for-${key.alg.toLowerCase()}`,
      `${alg} does not verify with a key for ${key.alg}.`,
      key,
      forged(key, alg, key.sign),
      'KEY_MISMATCH',
    );
  }
}
bad(
  'es256-over-p-384',
  'ECDSA with SHA-256 under P-384 is no ES256, though OpenSSL verifies it.',
  p384,
  forged(p384, 'ES256', (input) => writePair(signEcdsa(P384, p384.secret, input, 'sha256'), P384)),
  'KEY_MISMATCH',
);

// What was not added.
bad('hs256', 'HMAC can never be added.', agentA, token({}, { alg: 'HS256' }), 'ALG_NOT_ALLOWED');
bad(
  'none',
  'A token without a signature can never be accepted.',
  agentA,
  `${encode({ ...header, alg: 'none' })}.${encode(payload)}.`,
  'ALG_NOT_ALLOWED',
);
bad('rs256', 'RS256 is not PS256.', rsa, forged(rsa, 'RS256', rsa.sign), 'ALG_NOT_ALLOWED');
bad('ps384', 'PS384 is not PS256.', rsa, forged(rsa, 'PS384', rsa.sign), 'ALG_NOT_ALLOWED');
bad('ed448', 'The name Ed448 is not EdDSA.', ed25519, forged(ed25519, 'Ed448', ed25519.sign), 'ALG_NOT_ALLOWED');
bad(
  'ed25519-in-capitals',
  'Names of algorithms are compared exactly.',
  ed25519,
  forged(ed25519, 'ED25519', ed25519.sign),
  'ALG_NOT_ALLOWED',
);

// Signatures.
const rsaPrivate = createPrivateKey({ key: PUBLIC_TEST_RSA_KEY, format: 'jwk' });
const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const short = (key: TestKey) => forged(key, key.alg, (input) => key.sign(input).subarray(0, -1));
bad('es384-one-octet-short', 'A signature of ES384 has 96 octets.', p384, short(p384), 'SIGNATURE_INVALID');
bad(
  'es384-with-sha-256',
  'ES384 hashes with SHA-384.',
  p384,
  forged(p384, 'ES384', (input) => writePair(signEcdsa(P384, p384.secret, input, 'sha256'), P384)),
  'SIGNATURE_INVALID',
);
bad(
  'es384-by-p-256',
  'A signature from P-256 is too short for ES384.',
  p384,
  forged(p384, 'ES384', (input) => writePair(signEcdsa(P256, agentA.secret, input), P256)),
  'SIGNATURE_INVALID',
);
bad(
  'es384-empty',
  'A token of ES384 has a signature.',
  p384,
  forged(p384, 'ES384', () => Buffer.alloc(0)),
  'SIGNATURE_INVALID',
);
bad(
  'es384-all-zero',
  'Zeros verify nothing under ES384.',
  p384,
  forged(p384, 'ES384', () => Buffer.alloc(96)),
  'SIGNATURE_INVALID',
);
bad('eddsa-one-octet-short', 'A signature of EdDSA has 64 octets.', ed25519, short(ed25519), 'SIGNATURE_INVALID');
bad(
  'eddsa-all-zero',
  'Zeros verify nothing under EdDSA.',
  ed25519,
  forged(ed25519, 'EdDSA', () => Buffer.alloc(64)),
  'SIGNATURE_INVALID',
);
bad(
  'eddsa-s-out-of-range',
  'The second number of an EdDSA signature has one spelling.',
  ed25519,
  forged(ed25519, 'EdDSA', (input) => withHigherS(ed25519.sign(input))),
  'SIGNATURE_INVALID',
);
bad('ps256-one-octet-short', 'A signature of PS256 is as long as its key.', rsa, short(rsa), 'SIGNATURE_INVALID');
bad(
  'ps256-in-pkcs-1',
  'A signature of RS256 is none of PS256.',
  rsa,
  forged(rsa, 'PS256', (input) => sign('sha256', input, rsaPrivate)),
  'SIGNATURE_INVALID',
);
bad(
  'ps256-without-salt',
  'The salt of PS256 is as long as its hash.',
  rsa,
  forged(rsa, 'PS256', (input) =>
    sign('sha256', input, { key: rsaPrivate, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 0 }),
  ),
  'SIGNATURE_INVALID',
);
bad(
  'ps256-of-another-token',
  'A signature of PS256 does not verify another token.',
  rsa,
  forged(rsa, 'PS256', () => rsa.sign(Buffer.from(signParts(header, payload)))),
  'SIGNATURE_INVALID',
);

/** The same signature with the order of the group added to its second number. */
function withHigherS(signature: Buffer): Buffer {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
  const octets = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([signature.subarray(0, 32), octets]);
}
