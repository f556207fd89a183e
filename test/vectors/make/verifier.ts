// Good tokens that this verifier, at this time, with this body must reject.

import { invalid } from './collect.ts';
import { AUD, EMPTY_HASH, NOW, TEST_HASH, token } from './token.ts';

// Audience.
const audiences: readonly (readonly [name: string, shows: string, aud: unknown])[] = [
  ['somebody-else', 'A token for somebody else is rejected.', ['spiffe://example.com/agent/c']],
  ['several-others', 'It does not help that a token is for many, if not for us.', ['urn:x:1', 'urn:x:2', 'urn:x:3']],
  ['prefix', 'A name that only begins like ours is not ours.', [AUD.slice(0, -1)]],
  ['longer', 'A name that goes on after ours is not ours.', [`${AUD}2`]],
  ['trailing-slash', 'A slash after our name makes another name.', [`${AUD}/`]],
  ['capitals', 'Names are compared exactly, capitals included.', [AUD.toUpperCase()]],
  ['blank-before', 'A blank before our name makes another name.', [` ${AUD}`]],
  ['list-in-a-text', 'Several names in one text are one name.', `${AUD},urn:x`],
  ['wildcard', 'A star means nothing.', ['*']],
];
for (const [name, shows, aud] of audiences) invalid(`aud-of/${name}`, shows, token({ aud }), 'AUDIENCE_MISMATCH');

// Time.
invalid(
  'time/exp-now',
  'exp is the first second in which a token is dead.',
  token({ iat: NOW - 600, exp: NOW }),
  'TOKEN_EXPIRED',
);
invalid(
  'time/exp-a-second-ago',
  'No skew is allowed for exp.',
  token({ iat: NOW - 600, exp: NOW - 1 }),
  'TOKEN_EXPIRED',
);
invalid('time/exp-long-ago', 'A token of two months ago is dead.', token(), 'TOKEN_EXPIRED', {
  now: NOW + 60 * 86_400,
});
invalid(
  'time/iat-31-seconds-ahead',
  'iat is at most 30 s ahead.',
  token({ iat: NOW + 31, exp: NOW + 600 }),
  'IAT_IN_FUTURE',
);
invalid(
  'time/iat-a-day-ahead',
  'A token of tomorrow is not valid today.',
  token({ iat: NOW + 86_400, exp: NOW + 87_000 }),
  'IAT_IN_FUTURE',
);
invalid('time/nbf-31-seconds-ahead', 'nbf is at most 30 s ahead.', token({ nbf: NOW + 31 }), 'TOKEN_NOT_YET_VALID');
invalid(
  'time/expired-and-not-yet-valid',
  'Where expiry and nbf are both at fault, the expiry is named.',
  token({ iat: NOW - 600, nbf: NOW + 599, exp: NOW + 600 }),
  'TOKEN_EXPIRED',
  { now: NOW + 600 },
);
invalid(
  'time/iat-901-seconds-ago',
  'iat is at most 900 s ago, however long the token lives.',
  token({ iat: NOW - 901 }),
  'IAT_TOO_OLD',
);
invalid(
  'time/expired-and-too-old',
  'Of two faults of time the expiry is named first.',
  token({ iat: NOW - 2000, exp: NOW - 1000 }),
  'TOKEN_EXPIRED',
);

// What came along.
const hashes = { inp_hash: TEST_HASH, out_hash: EMPTY_HASH };
invalid(
  'hashes/other-input',
  'The input is another than the token was issued for.',
  token(hashes),
  'INPUT_HASH_MISMATCH',
  { inp_hash: EMPTY_HASH },
);
invalid(
  'hashes/other-output',
  'The output is another than the token was issued for.',
  token(hashes),
  'OUTPUT_HASH_MISMATCH',
  { out_hash: TEST_HASH },
);
invalid('hashes/both-other', 'The input is compared before the output.', token(hashes), 'INPUT_HASH_MISMATCH', {
  inp_hash: EMPTY_HASH,
  out_hash: TEST_HASH,
});
invalid(
  'hashes/input-without-claim',
  'A token that binds no input does not fit one that came along.',
  token({ out_hash: EMPTY_HASH }),
  'INPUT_HASH_MISMATCH',
  { inp_hash: TEST_HASH },
);
invalid(
  'hashes/output-without-claim',
  'A token that binds no output does not fit one that came along.',
  token({ inp_hash: TEST_HASH }),
  'OUTPUT_HASH_MISMATCH',
  { out_hash: EMPTY_HASH },
);
