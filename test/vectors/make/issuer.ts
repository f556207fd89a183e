// Keys that are not known, and keys that do not speak for the issuer.

import { invalid } from './collect.ts';
import {
  agentA,
  agentAExpired,
  agentANext,
  agentARevoked,
  agentB,
  ISS,
  ISS_B,
  ISS_C,
  ISS_ORG,
  KEYS_CHANGE,
  organisation,
  stranger,
} from './keys.ts';
import { token } from './token.ts';

// Key.
const kids: readonly (readonly [name: string, shows: string, kid: unknown])[] = [
  ['missing', 'kid is required, also where the issuer has one key only.', undefined],
  ['empty', 'kid is not empty.', ''],
  ['null', 'kid is a text, not null.', null],
  ['number', 'kid is a text, not a number.', 7],
  ['list', 'kid is a text, not a list of one.', [agentA.kid]],
  ['of-257-characters', 'kid has at most 256 characters.', `agent-a-${'k'.repeat(249)}`],
];
for (const [name, shows, kid] of kids) invalid(`kid/${name}`, shows, token({}, { kid }), 'KID_MISSING');
const unknown: readonly (readonly [name: string, shows: string, kid: string])[] = [
  ['unknown', 'A kid that nobody has is unknown, though the signature is good under another.', 'agent-a-key-2'],
  ['prefix', 'A kid is compared whole.', agentA.kid.slice(0, -1)],
  ['capitals', 'A kid is compared exactly, capitals included.', agentA.kid.toUpperCase()],
  ['trailing-blank', 'A kid has no blank after it.', `${agentA.kid} `],
  ['path', 'A kid is no path to a file.', '../../../../dev/null'],
  ['query', 'A kid is no piece of a query.', "' OR '1'='1"],
  ['line-feed', 'A kid may hold a line end, and is still only a name.', 'agent\nkey'],
  ['prototype', 'A kid may be __proto__, and is still only a name.', '__proto__'],
  ['constructor', 'A kid may be constructor, and is still only a name.', 'constructor'],
];
for (const [name, shows, kid] of unknown) invalid(`kid/${name}`, shows, token({}, { kid }), 'KEY_UNKNOWN');
invalid('kid/of-a-stranger', 'A key that nobody trusts is unknown.', token({}, {}, stranger), 'KEY_UNKNOWN');

// Issuer: the key must speak for it.
const bothAgents = { trusting: [ISS, ISS_B] };
invalid(
  'issuer/of-another-agent',
  'Agent B does not speak for agent A, though its signature is good.',
  token({}, {}, agentB),
  'ISSUER_MISMATCH',
  bothAgents,
);
invalid(
  'issuer/look-alike',
  'An issuer that only looks like another is another.',
  token({ iss: ISS_ORG.replace('https', 'Https') }, {}, organisation),
  'ISSUER_MISMATCH',
  { trusting: [ISS_ORG] },
);
invalid(
  'issuer/trailing-slash',
  'An issuer is compared exactly, without a slash after it.',
  token({ iss: `${ISS_ORG}/` }, {}, organisation),
  'ISSUER_MISMATCH',
  { trusting: [ISS_ORG] },
);
invalid(
  'issuer/below-an-exact-name',
  'A key that speaks for one name does not speak for what is below it.',
  token({ iss: `${ISS_B}/sub` }, {}, agentB),
  'ISSUER_MISMATCH',
  { trusting: [ISS_B] },
);
invalid(
  'issuer/above-the-name',
  'A key that speaks for what is below a name does not speak for what is above it.',
  token({ iss: 'https://issuer.example.org' }, {}, organisation),
  'ISSUER_MISMATCH',
  { trusting: [ISS_ORG] },
);
invalid(
  'issuer/longer-name',
  'What only begins like a name is not below it.',
  token({ iss: `${ISS_ORG}-other/x` }, {}, organisation),
  'ISSUER_MISMATCH',
  { trusting: [ISS_ORG] },
);
invalid(
  'issuer/dot-segments',
  'Dots lead out of what is below a name.',
  token({ iss: `${ISS_ORG}/../admin` }, {}, organisation),
  'ISSUER_MISMATCH',
  { trusting: [ISS_ORG] },
);
const ambiguous = [
  [
    'encoded-dot-segments',
    'Dots lead out of what is below a name, also where they are percent-encoded.',
    '/%2e%2e/admin',
  ],
  ['encoded-slash', 'A slash is a slash for some readers, also where it is percent-encoded.', '/..%2fadmin'],
  ['encoded-twice', 'What is encoded twice is decoded twice by some readers.', '/%252e%252e/admin'],
  ['dots-with-parameter', 'Dots with a parameter are dots for some readers.', '/..;a/admin'],
  ['empty-segment', 'An empty segment is left out by some readers.', '//admin'],
  ['query-below', 'What is below a name has no query.', '/a?b=c'],
  ['fragment-below', 'What is below a name has no fragment.', '/a#b'],
] as const;
for (const [name, shows, rest] of ambiguous) {
  invalid(`issuer/${name}`, shows, token({ iss: `${ISS_ORG}${rest}` }, {}, organisation), 'ISSUER_MISMATCH', {
    trusting: [ISS_ORG],
  });
}
invalid(
  'issuer/same-kid-other-key',
  'Two issuers have keys of one name: the key of one does not verify the other.',
  token({ iss: ISS_C }, {}, agentA),
  'SIGNATURE_INVALID',
  { trusting: [ISS, ISS_C] },
);

// Keys that are in force at some times only.
invalid('key/expired', 'A key is expired from its last second on.', token({}, {}, agentAExpired), 'KEY_EXPIRED', {
  now: KEYS_CHANGE,
});
invalid(
  'key/not-in-force-yet',
  'A key is not in force before its first second.',
  token({}, {}, agentANext),
  'KEY_EXPIRED',
  { now: KEYS_CHANGE - 1 },
);
invalid(
  'key/revoked',
  'A key is rejected from the second on in which it was revoked.',
  token({}, {}, agentARevoked),
  'KEY_REVOKED',
  { now: KEYS_CHANGE },
);
