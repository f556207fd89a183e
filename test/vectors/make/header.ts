// Headers that are read and rejected: level, type, forbidden members.

import { invalid } from './collect.ts';
import { agentA, stranger } from './keys.ts';
import { encode, first, header, payload, second, signParts, third, token } from './token.ts';

// Level: what has no dots is unsigned, and below the minimum.
invalid(
  'level/unsigned-json',
  'An unsigned object is L1, which is below the default minimum.',
  JSON.stringify({ ...payload, iss: 'urn:a' }),
  'LEVEL_TOO_LOW',
);
invalid('level/unsigned-base64url', 'An unsigned object in base64url is L1 too.', encode(payload), 'LEVEL_TOO_LOW');
invalid(
  'level/flattened-json-serialization',
  'The JSON serialization of JWS is an unsigned object: its signature is not looked at.',
  JSON.stringify({ payload: second, protected: first, signature: third }),
  'LEVEL_TOO_LOW',
);
invalid('level/header-alone', 'A header without the rest is an unsigned object.', first, 'LEVEL_TOO_LOW');

// Type.
const types: readonly (readonly [name: string, shows: string, typ: unknown])[] = [
  ['missing', 'typ is required.', undefined],
  ['null', 'typ is a text, not null.', null],
  ['number', 'typ is a text, not a number.', 7],
  ['list', 'typ is a text, not a list of one.', ['exec+jwt']],
  ['empty', 'typ is not empty.', ''],
  ['jwt', 'Any JWT is not an Execution Context Token.', 'JWT'],
  ['access-token', 'An access token is no Execution Context Token.', 'at+jwt'],
  ['workload-identity-token', 'A workload identity token is no Execution Context Token.', 'wit+jwt'],
  ['proof-token', 'A workload proof token is no Execution Context Token.', 'wpt+jwt'],
  ['near-miss', 'exec+jws is another type.', 'exec+jws'],
  ['capitals', 'typ is compared exactly, capitals included.', 'EXEC+JWT'],
  ['media-type', 'typ is written without application/.', 'application/exec+jwt'],
  ['leading-blank', 'typ has no blank before it.', ' exec+jwt'],
  ['trailing-parameter', 'typ has no parameters.', 'exec+jwt;v=1'],
  ['cyrillic-letter', 'A typ that only looks right is wrong.', 'еxec+jwt'],
];
for (const [name, shows, typ] of types) invalid(`typ/${name}`, shows, token({}, { typ }), 'TYP_INVALID');

// Members that bring in a key, a URL or another encoding.
const { kid: _, ...bareJwk } = stranger.jwk;
const forbidden: readonly (readonly [name: string, shows: string, members: object])[] = [
  ['crit-empty', 'crit is rejected, even empty.', { crit: [] }],
  ['crit-unknown', 'crit is rejected whatever it names.', { crit: ['urn:x'], 'urn:x': 1 }],
  ['crit-names-a-standard-member', 'crit may not name a standard member; it is rejected anyway.', { crit: ['alg'] }],
  ['crit-no-list', 'crit is rejected where it is no list.', { crit: 'exp' }],
  ['crit-null', 'A forbidden member is rejected by its name, also where it is null.', { crit: null }],
  ['b64-false', 'The payload is always base64url.', { b64: false }],
  [
    'b64-false-with-crit',
    'The payload is always base64url, also where crit says otherwise.',
    { crit: ['b64'], b64: false },
  ],
  ['b64-true', 'b64 is rejected even where it says what holds anyway.', { b64: true }],
  ['jku', 'No URL of keys is fetched.', { jku: 'https://127.0.0.1/keys' }],
  ['x5c', 'No certificate comes from a token.', { x5c: ['MIIB'] }],
  ['x5u', 'No URL of a certificate is fetched.', { x5u: 'https://127.0.0.1/cert' }],
  ['x5t', 'No key is chosen by the SHA-1 of a certificate.', { x5t: 'AAAAAAAAAAAAAAAAAAAAAAAAAAA' }],
  ['x5t-sha-256', 'No key is chosen by the SHA-256 of a certificate.', { 'x5t#S256': encode(Buffer.alloc(32)) }],
  ['zip', 'The payload is not compressed.', { zip: 'DEF' }],
  ['cty', 'The payload is no other token.', { cty: 'JWT' }],
  ['trust-chain', 'No chain of statements brings in a key.', { trust_chain: ['e30.e30.'] }],
  ['enc', 'A header that names an encryption is of no JWS.', { enc: 'A256GCM' }],
  ['epk', 'A header with a key for an agreement is of no JWS.', { epk: { kty: 'EC' } }],
  ['p2c', 'A header with a count for a password is of no JWS.', { p2c: 1_000_000 }],
  ['another-iss', 'A header that repeats iss has the same one.', { iss: 'spiffe://example.com/agent/c' }],
  ['another-aud', 'A header that repeats aud has the same one.', { aud: 'urn:x' }],
  ['another-exp', 'A header that repeats exp has the same one.', { exp: payload.exp + 1 }],
  ['another-iat', 'A header that repeats iat has the same one.', { iat: payload.iat - 1 }],
  ['another-jti', 'A header that repeats jti has the same one.', { jti: '00000000-0000-4000-8000-00000000ffff' }],
  ['nbf-alone', 'A header does not have an nbf that the payload has not.', { nbf: payload.iat }],
  [
    'wid-alone',
    'A header does not have a wid that the payload has not.',
    { wid: '00000000-0000-4000-8000-00000000fffe' },
  ],
  ['another-exec-act', 'A header that repeats exec_act has the same one.', { exec_act: 'another' }],
  ['another-pred', 'A header that repeats pred has the same one.', { pred: ['00000000-0000-4000-8000-00000000fffd'] }],
  ['sub-alone', 'A header does not have a sub that the payload has not.', { sub: payload.iss }],
];
for (const [name, shows, members] of forbidden) {
  invalid(`header/${name}`, shows, token({}, members), 'HEADER_FORBIDDEN');
}
invalid(
  'header/jwk-that-signed',
  'A key never comes from the token, however good its signature.',
  signParts({ ...header, jwk: bareJwk }, payload, stranger),
  'HEADER_FORBIDDEN',
);
invalid(
  'header/jwk-that-is-trusted',
  'A key in the header is rejected even where it is the trusted one.',
  token({}, { jwk: agentA.jwk }),
  'HEADER_FORBIDDEN',
);
