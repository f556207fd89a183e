// Unsigned objects (L1), where a verifier accepts them: the same claims, and no signature to lean on.

import { invalid, valid } from './collect.ts';
import { encode, goodToken, header, NOW, nest, payload, payloadText, signParts, token } from './token.ts';

const profile = 'unsigned';
const level = 'L1';
const json = (claims: object = {}) => JSON.stringify({ ...payload, ...claims });

valid(
  'unsigned/json',
  'An unsigned object may be JSON as it stands.',
  { level, write: JSON.stringify, claims: { exec_act: 'review.spec' } },
  { profile },
);
valid('unsigned/base64url', 'An unsigned object may be the base64url of JSON.', { level, write: encode }, { profile });
valid(
  'unsigned/blanks',
  'Blanks around an unsigned object mean nothing.',
  { level, claims: { exec_act: 'review.spec' }, write: (claims) => `\n ${JSON.stringify(claims, null, 1)}\n` },
  { profile },
);
valid(
  'unsigned/whole',
  'An unsigned object may have every claim.',
  {
    level,
    write: encode,
    claims: {
      wid: 'a0b1c2d3-e4f5-4a6b-8c7d-9e0f1a2b3c4d',
      pred: ['6ba7b810-9dad-41d1-80b4-00c04fd430c8'],
      ect_ext: { pol: 'p', pol_decision: 'approved' },
    },
  },
  { profile },
);
valid(
  'unsigned/unknown-issuer',
  'Nobody signs an unsigned object, so its issuer need not be known.',
  { level, write: encode, claims: { iss: 'urn:example:nobody' } },
  { profile },
);
valid(
  'unsigned/signed-is-better',
  'Where unsigned objects are accepted, signed tokens are too.',
  { claims: { exec_act: 'execute_trade' } },
  { profile },
);

const bad = (name: string, shows: string, text: string, reason: string, step?: string) =>
  invalid(`unsigned/${name}`, shows, text, reason, { profile, ...(step === undefined ? {} : { step }) });
bad(
  'below-the-level-of-its-action',
  'An action may demand a signature where others do not.',
  encode(json({ exec_act: 'execute_trade' })),
  'LEVEL_TOO_LOW',
);
bad(
  'bad-signature-is-final',
  'What looks signed and is not is never read as unsigned.',
  `${goodToken.slice(0, -86)}${'A'.repeat(86)}`,
  'SIGNATURE_INVALID',
);
bad(
  'alg-none-is-final',
  'What names no algorithm is never read as unsigned.',
  `${encode({ ...header, alg: 'none' })}.${encode(payload)}.`,
  'ALG_NOT_ALLOWED',
);
bad('two-dots-are-final', 'An object with exactly two dots is a signed token or nothing.', json(), 'TOKEN_MALFORMED');
bad('list', 'A list of claims is no object.', '[]', 'TOKEN_MALFORMED');
bad(
  'duplicate',
  'Members of an unsigned object are there once.',
  encode(payloadText.replace('}', ',"pred":[]}')),
  'TOKEN_MALFORMED',
);
bad(
  'padding',
  'The base64url of an unsigned object has no padding.',
  `${encode(`${payloadText}${' '.repeat(3 - (payloadText.length % 3) + 1)}`)}==`,
  'TOKEN_MALFORMED',
);
bad(
  'byte-order-mark',
  'An unsigned object begins without a byte order mark.',
  encode(`\uFEFF${payloadText}`),
  'TOKEN_MALFORMED',
);
bad('twice-encoded', 'An unsigned object is encoded once.', encode(encode(payload)), 'TOKEN_MALFORMED');
bad(
  'nested-33-deep',
  'An unsigned object is nested at most 32 deep.',
  encode(payloadText.replace(/}$/, `,"x":${nest(32)}}`)),
  'TOKEN_MALFORMED',
);
bad(
  'claim-missing',
  'An unsigned object has all required claims.',
  encode({ ...payload, exp: undefined }),
  'CLAIM_MISSING exp',
);
bad(
  'jti-no-uuid',
  'Claims of an unsigned object keep their rules.',
  encode({ ...payload, jti: 'x' }),
  'CLAIM_INVALID jti',
  'formats',
);
bad(
  'par',
  'Only -01 has unsigned objects.',
  encode({ ...payload, pred: undefined, par: [] }),
  'CLAIM_INVALID par',
  'claims',
);
bad(
  'for-somebody-else',
  'An unsigned object for somebody else is rejected.',
  encode({ ...payload, aud: ['urn:x'] }),
  'AUDIENCE_MISMATCH',
);
bad('expired', 'An unsigned object expires.', encode({ ...payload, iat: NOW - 600, exp: NOW }), 'TOKEN_EXPIRED');
bad('too-old', 'An unsigned object grows too old.', encode({ ...payload, iat: NOW - 901 }), 'IAT_TOO_OLD');
bad(
  'from-the-future',
  'An unsigned object does not come from the future.',
  encode({ ...payload, iat: NOW + 31 }),
  'IAT_IN_FUTURE',
);
bad('payload-of-another-kind', 'A header alone is an object without claims.', encode(header), 'CLAIM_MISSING iss');
bad(
  'signed-by-a-stranger',
  'A signed token of a stranger is not read without its signature.',
  token({}, { kid: 'stranger-key' }),
  'KEY_UNKNOWN',
);
bad(
  'typ-of-another-kind',
  'A signed token of another kind is not read without its header.',
  signParts({ ...header, typ: 'JWT' }, payload),
  'TYP_INVALID',
);
