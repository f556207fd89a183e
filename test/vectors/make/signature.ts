// Signatures that do not verify.

import { createHash } from 'node:crypto';
import { invalid } from './collect.ts';
import { P256, P384, signEcdsa, writePair } from './ecdsa.ts';
import { agentA, agentC, ed25519, p384, strangerAsA } from './keys.ts';
import { encode, first, goodToken, header, NOW, OTHER_JTI, payload, payloadText, second, third } from './token.ts';

// Signature.
const input = Buffer.from(`${first}.${second}`);
const pair = signEcdsa(P256, agentA.secret, input);
const n = P256.order;
const p = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const raw = writePair(pair, P256);
const signatures: readonly (readonly [name: string, shows: string, signature: Buffer])[] = [
  ['empty', 'A token has a signature.', Buffer.alloc(0)],
  ['one-octet-short', 'A signature of 63 octets does not verify.', raw.subarray(0, 63)],
  ['one-octet-long', 'A signature of 65 octets does not verify.', Buffer.concat([raw, Buffer.alloc(1)])],
  ['leading-zero-octet', 'A signature has no octet before its numbers.', Buffer.concat([Buffer.alloc(1), raw])],
  ['twice', 'A signature that is there twice does not verify.', Buffer.concat([raw, raw])],
  ['der', 'A signature is written as two numbers, not as DER.', toDer(raw)],
  ['r-zero', 'r = 0 is out of range.', writePair({ ...pair, r: 0n }, P256)],
  ['s-zero', 's = 0 is out of range.', writePair({ ...pair, s: 0n }, P256)],
  ['both-zero', 'r = s = 0 verifies nothing.', Buffer.alloc(64)],
  ['both-one', 'r = s = 1 verifies nothing.', writePair({ r: 1n, s: 1n }, P256)],
  ['r-is-n', 'r = n is out of range.', writePair({ ...pair, r: n }, P256)],
  ['s-is-n', 's = n is out of range.', writePair({ ...pair, s: n }, P256)],
  ['r-is-n-and-s-zero', 'r = n and s = 0 verify nothing.', writePair({ r: n, s: 0n }, P256)],
  ['r-above-n', 'r = n + 1 is out of range.', writePair({ ...pair, r: n + 1n }, P256)],
  ['s-below-n', 's = n - 1 is in range and does not verify.', writePair({ ...pair, s: n - 1n }, P256)],
  ['r-is-p', 'r = p is out of range.', writePair({ ...pair, r: p }, P256)],
  ['r-above-p', 'r = p + 1 is out of range.', writePair({ r: p + 1n, s: p + 1n }, P256)],
  ['all-ones', 'Numbers of all ones are out of range.', Buffer.alloc(64, 0xff)],
  ['r-negated', 'The negative of r does not verify.', writePair({ ...pair, r: n - pair.r }, P256)],
  ['swapped', 'r and s stand in their order.', Buffer.concat([raw.subarray(32), raw.subarray(0, 32)])],
  [
    'little-endian',
    'The numbers begin with their highest octet.',
    Buffer.concat([Buffer.from(raw.subarray(0, 32)).reverse(), Buffer.from(raw.subarray(32)).reverse()]),
  ],
  [
    'bit-flipped',
    'One other bit, and the signature does not verify.',
    Buffer.from(raw.map((octet, at) => (at === 63 ? octet ^ 1 : octet))),
  ],
  ['over-the-payload-alone', 'The header is signed too.', agentA.sign(Buffer.from(second))],
  [
    'over-the-decoded-parts',
    'What is signed is the base64url of the parts.',
    agentA.sign(Buffer.from(`${JSON.stringify(header)}.${payloadText}`)),
  ],
  ['over-the-digest', 'What is signed is hashed once.', agentA.sign(createHash('sha256').update(input).digest())],
  ['with-sha-384', 'ES256 hashes with SHA-256.', writePair(signEcdsa(P256, agentA.secret, input, 'sha384'), P256)],
  ['with-sha-1', 'ES256 does not hash with SHA-1.', writePair(signEcdsa(P256, agentA.secret, input, 'sha1'), P256)],
  [
    'of-another-token',
    'The signature of one token does not verify another.',
    agentA.sign(Buffer.from(`${first}.${encode({ ...payload, jti: OTHER_JTI })}`)),
  ],
  ['by-a-stranger', 'A stranger that names a trusted kid signs nothing.', strangerAsA.sign(input)],
  [
    'by-the-other-issuer-of-that-kid',
    'The key of another issuer with the same kid does not verify.',
    agentC.sign(input),
  ],
  [
    'by-a-key-on-p-384',
    'A signature from another curve does not verify.',
    writePair(signEcdsa(P384, p384.secret, input), P384),
  ],
  ['by-ed25519', 'An Ed25519 signature has 64 octets too, and does not verify.', ed25519.sign(input)],
];
for (const [name, shows, signature] of signatures) {
  invalid(`signature/${name}`, shows, `${first}.${second}.${encode(signature)}`, 'SIGNATURE_INVALID');
}
const changed: readonly (readonly [name: string, shows: string, parts: readonly [string, string]])[] = [
  ['header-changed', 'No other header fits the signature.', [encode({ ...header, x: 1 }), second]],
  [
    'header-respelled',
    'No other spelling of the header fits the signature.',
    [encode(JSON.stringify(header, null, 1)), second],
  ],
  ['typ-changed', 'The type is signed too.', [encode({ ...header, typ: 'wimse-exec+jwt' }), second]],
  [
    'payload-changed',
    'No other payload fits the signature.',
    [first, encode({ ...payload, exec_act: 'review_spec2' })],
  ],
  ['payload-respelled', 'No other spelling of the payload fits the signature.', [first, encode(`${payloadText} `)]],
  [
    'life-prolonged',
    'Nobody but the issuer prolongs the life of a token.',
    [first, encode({ ...payload, exp: NOW + 601 })],
  ],
  [
    'audience-added',
    'Nobody but the issuer adds an audience.',
    [first, encode({ ...payload, aud: [...payload.aud, 'urn:x'] })],
  ],
  [
    'predecessor-dropped',
    'Nobody but the issuer changes what came before.',
    [first, encode({ ...payload, pred: [OTHER_JTI] })],
  ],
];
for (const [name, shows, [head, body]] of changed) {
  invalid(`signature/${name}`, shows, `${head}.${body}.${third}`, 'SIGNATURE_INVALID');
}
invalid(
  'signature/parts-swapped',
  'Header and payload stand in their order.',
  `${second}.${first}.${third}`,
  'TYP_INVALID',
);

function toDer(both: Buffer): Buffer {
  const number = (octets: Buffer) => {
    const padded = octets[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), octets]) : octets;
    return Buffer.concat([Buffer.from([2, padded.length]), padded]);
  };
  const body = Buffer.concat([number(both.subarray(0, 32)), number(both.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

if (goodToken !== `${first}.${second}.${encode(raw)}`) throw new Error('the signature is not the deterministic one');
