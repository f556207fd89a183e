// Algorithms that nobody may name, and those that nobody named.

import { createHmac, createPublicKey } from 'node:crypto';
import { invalid } from './collect.ts';
import { agentA, ed25519, p384, rsa } from './keys.ts';
import { encode, header, second, token } from './token.ts';

// Algorithm.
const spellings: readonly (readonly [name: string, shows: string, alg: unknown])[] = [
  ['missing', 'alg is required.', undefined],
  ['null', 'alg is a text, not null.', null],
  ['number', 'alg is a text, not a number.', 1],
  ['list', 'alg is a text, not a list of one.', ['ES256']],
  ['object', 'alg is a text, not an object.', { name: 'ES256' }],
  ['empty', 'alg is not empty.', ''],
  ['lower-case', 'alg is compared exactly, capitals included.', 'es256'],
  ['trailing-blank', 'alg has no blank after it.', 'ES256 '],
  ['es256k', 'ES256K is another curve.', 'ES256K'],
  ['es512', 'ES512 is not on the list.', 'ES512'],
  ['rs256', 'RS256 is never on the list.', 'RS256'],
  ['built-in-name', 'alg may not be a name that objects of some languages have.', 'constructor'],
  ['key-wrapping', 'An algorithm of encryption signs nothing.', 'RSA-OAEP'],
];
for (const [name, shows, alg] of spellings) invalid(`alg/${name}`, shows, token({}, { alg }), 'ALG_NOT_ALLOWED');
for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
  const unsigned = `${encode({ ...header, alg })}.${second}.`;
  const shows = alg === 'none' ? 'A token without a signature is rejected.' : `${alg} is none in another spelling.`;
  invalid(
    `alg/${alg === 'none' ? 'none' : `none-spelled-${Buffer.from(alg).toString('hex')}`}`,
    shows,
    unsigned,
    'ALG_NOT_ALLOWED',
  );
}
invalid(
  'alg/none-with-a-signature',
  'A good signature under the name none is rejected.',
  token({}, { alg: 'none' }),
  'ALG_NOT_ALLOWED',
);
const published = createPublicKey({ key: { ...agentA.jwk }, format: 'jwk' });
const hmacKeys: readonly (readonly [name: string, shows: string, alg: string, secret: string | Buffer])[] = [
  [
    'pem',
    'An HMAC keyed with the PEM of the public key is rejected.',
    'HS256',
    published.export({ type: 'spki', format: 'pem' }),
  ],
  [
    'der',
    'An HMAC keyed with the DER of the public key is rejected.',
    'HS256',
    published.export({ type: 'spki', format: 'der' }),
  ],
  ['jwk', 'An HMAC keyed with the JWK of the public key is rejected.', 'HS256', JSON.stringify(agentA.jwk)],
  ['empty-secret', 'An HMAC keyed with nothing is rejected.', 'HS256', ''],
  ['sha-384', 'HS384 is rejected as HS256 is.', 'HS384', published.export({ type: 'spki', format: 'pem' })],
  ['sha-512', 'HS512 is rejected as HS256 is.', 'HS512', published.export({ type: 'spki', format: 'pem' })],
];
for (const [name, shows, alg, secret] of hmacKeys) {
  const input = `${encode({ ...header, alg })}.${second}`;
  const mac = createHmac(alg.replace('HS', 'sha'), secret).update(input).digest('base64url');
  invalid(`alg/hmac-${name}`, shows, `${input}.${mac}`, 'ALG_NOT_ALLOWED');
}
invalid('alg/es384-by-default', 'ES384 is rejected unless it was added.', token({}, {}, p384), 'ALG_NOT_ALLOWED');
invalid('alg/eddsa-by-default', 'EdDSA is rejected unless it was added.', token({}, {}, ed25519), 'ALG_NOT_ALLOWED');
invalid(
  'alg/ed25519-by-default',
  'Ed25519 is rejected unless it was added.',
  token({}, { alg: 'Ed25519' }, ed25519),
  'ALG_NOT_ALLOWED',
);
invalid('alg/ps256-by-default', 'PS256 is rejected unless it was added.', token({}, {}, rsa), 'ALG_NOT_ALLOWED');
