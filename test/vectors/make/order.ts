// Tokens that break two rules: the one that is judged first is named.

import { invalid } from './collect.ts';
import { ISS } from './keys.ts';
import { NOW, token } from './token.ts';

invalid(
  'order/type-before-format',
  'Types are judged before formats, whichever claim comes first.',
  token({ iss: ISS, jti: 'x', exec_act: 7 }),
  'CLAIM_INVALID exec_act',
  { step: 'claims' },
);
invalid(
  'order/claims-before-time',
  'Claims are judged before the clock.',
  token({ jti: 'x', iat: NOW - 10_000, exp: NOW - 9_000 }),
  'CLAIM_INVALID jti',
  { step: 'formats' },
);
invalid(
  'order/signature-before-claims',
  'Claims are trusted only after the signature: a bad one is named first.',
  `${token({ exp: 0 }).slice(0, -86)}${'A'.repeat(86)}`,
  'SIGNATURE_INVALID',
);
invalid(
  'order/audience-before-time',
  'The audience is judged before the clock.',
  token({ aud: ['urn:x'], iat: NOW - 800, exp: NOW - 1 }),
  'AUDIENCE_MISMATCH',
);
invalid(
  'order/type-before-alg',
  'The type is judged before the algorithm.',
  token({}, { typ: 'JWT', alg: 'none' }),
  'TYP_INVALID',
);
