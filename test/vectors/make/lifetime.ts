// Times that are none, in spellings that JSON has, and lifetimes that no token has.

import { invalid } from './collect.ts';
import { NOW, spelled, token } from './token.ts';

// Times, in spellings that JSON has and a token must not have.
const spellings: readonly (readonly [name: string, shows: string, spelling: string])[] = [
  ['text', 'is a number, not a text', `"${NOW}"`],
  ['fraction-of-zero', 'is spelled as an integer, without a point', `${NOW}.0`],
  ['fraction', 'is a whole number of seconds', `${NOW}.5`],
  ['exponent', 'is spelled as an integer, without an exponent', '1.7e9'],
  ['infinite', 'is not larger than every double', '1e400'],
  ['huge', 'is not larger than every integer', '1e20'],
  ['negative', 'is not negative', '-1'],
  ['negative-zero', 'is not minus zero', '-0'],
  ['beyond-doubles', 'is an integer that a double holds', '9007199254740993'],
  ['beyond-64-bits', 'is an integer of 64 bits', '9223372036854775808'],
  ['null', 'is a number, not null', 'null'],
  ['boolean', 'is a number, not true', 'true'],
  ['list', 'is a number, not a list of one', `[${NOW}]`],
  ['date', 'is a number, not a date in words', '"2023-11-14T22:13:20Z"'],
];
for (const claim of ['iat', 'exp', 'nbf']) {
  for (const [name, shows, spelling] of spellings) {
    invalid(`${claim}/${name}`, `${claim} ${shows}.`, spelled(claim, spelling), `CLAIM_INVALID ${claim}`, {
      step: 'claims',
    });
  }
}
const lifetime = { step: 'formats' };
invalid('exp/same-as-iat', 'exp is later than iat.', token({ exp: NOW }), 'CLAIM_INVALID exp', lifetime);
invalid('exp/before-iat', 'exp is not before iat.', token({ exp: NOW - 1 }), 'CLAIM_INVALID exp', lifetime);
invalid('exp/zero', 'exp is not zero.', token({ exp: 0 }), 'CLAIM_INVALID exp', lifetime);
invalid(
  'nbf/same-as-exp',
  'A token that is dead before it is valid is no token.',
  token({ nbf: NOW + 600 }),
  'CLAIM_INVALID nbf',
  lifetime,
);
invalid(
  'exp/one-second-over-a-day',
  'A token lives for 24 hours at most.',
  token({ exp: NOW + 86_401 }),
  'CLAIM_INVALID exp',
  lifetime,
);
invalid(
  'exp/in-milliseconds',
  'exp is in seconds: in milliseconds it lies in another age.',
  token({ exp: (NOW + 600) * 1000 }),
  'CLAIM_INVALID exp',
  lifetime,
);
invalid(
  'iat/in-milliseconds',
  'iat is in seconds: in milliseconds it lies after exp.',
  token({ iat: NOW * 1000 }),
  'CLAIM_INVALID exp',
  lifetime,
);
