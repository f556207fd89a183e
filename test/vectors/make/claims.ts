// Claims that break a rule, in tokens that are signed well.

import { invalid } from './collect.ts';
import { agentB, ISS, ISS_B, ISS_ORG, organisation } from './keys.ts';
import {
  AUD,
  EMPTY_HASH,
  JTI,
  nest,
  OTHER_JTI,
  payload,
  payloadText,
  TEST_HASH,
  THIRD_JTI,
  token,
  uuidOf,
  WID,
  withPayload,
} from './token.ts';

type Row = readonly [name: string, shows: string, value: unknown];

/** Values of one claim that have the wrong type, then values that break its rule. */
function reject(claim: string, types: readonly Row[], rules: readonly Row[]): void {
  for (const [step, rows] of [
    ['claims', types],
    ['formats', rules],
  ] as const) {
    for (const [name, shows, value] of rows) {
      invalid(`${claim}/${name}`, shows, token({ [claim]: value }), `CLAIM_INVALID ${claim}`, { step });
    }
  }
}

// Required claims.
for (const claim of Object.keys(payload)) {
  // A token without iss is found to have none only after its key was found, so the key must be one of a kind.
  const [key, iss] = claim === 'iss' ? [agentB, ISS_B] : [undefined, ISS];
  invalid(
    `missing/${claim}`,
    `${claim} is required.`,
    token({ [claim]: undefined }, {}, key),
    `CLAIM_MISSING ${claim}`,
    { trusting: [iss] },
  );
}
invalid(
  'missing/everything',
  'An empty payload has none of the required claims.',
  withPayload('{}'),
  'CLAIM_MISSING iss',
);
invalid(
  'missing/in-a-prototype',
  'Claims that stand inside __proto__ are not there.',
  withPayload(`{"__proto__":${payloadText}}`),
  'CLAIM_MISSING iss',
);
invalid(
  'missing/name-in-capitals',
  'Names of claims are compared exactly.',
  withPayload(payloadText.replace('"exp"', '"EXP"')),
  'CLAIM_MISSING exp',
);

// iss. Its key is found by its name, so what is no issuer is signed by a key whose name is one of a kind.
const issuers: readonly (readonly [string, string, unknown, 'claims' | 'formats'])[] = [
  ['number', 'iss is a text, not a number.', 7, 'claims'],
  ['null', 'iss is a text, not null.', null, 'claims'],
  ['list', 'iss is one issuer, not a list.', [ISS_B], 'claims'],
  ['object', 'iss is a text, not an object.', { uri: ISS_B }, 'claims'],
  ['empty', 'iss is not empty.', '', 'formats'],
  ['no-scheme', 'iss is an absolute URI.', '//example.com/agent', 'formats'],
  ['scheme-alone', 'iss has something after its scheme.', 'urn:', 'formats'],
  ['blank-inside', 'iss has no blanks.', 'https://example.com/a b', 'formats'],
  ['line-feed-after', 'iss has no line end after it.', `${ISS_B}\n`, 'formats'],
  ['non-ascii', 'iss has only characters of URIs.', 'https://exämple.com/', 'formats'],
  ['angle-brackets', 'iss does not stand in angle brackets.', `<${ISS_B}>`, 'formats'],
  ['backslash', 'iss has no backslash.', 'https://example.com\\agent', 'formats'],
  [
    'spiffe-empty-segment',
    'iss of the scheme spiffe is a SPIFFE ID: no empty segment.',
    'spiffe://example.com//a',
    'formats',
  ],
  [
    'spiffe-encoded-dots',
    'iss of the scheme spiffe is a SPIFFE ID: no escapes.',
    'spiffe://example.com/%2e%2e/a',
    'formats',
  ],
  ['spiffe-encoded-slash', 'A SPIFFE ID has no encoded slash.', 'spiffe://example.com/a%2fb', 'formats'],
  ['spiffe-encoded-letter', 'A SPIFFE ID has no second spelling of a letter.', 'spiffe://example.com/%41', 'formats'],
  ['spiffe-parameter', 'A SPIFFE ID has no parameters.', 'spiffe://example.com/a;p', 'formats'],
  ['spiffe-trailing-slash', 'A SPIFFE ID has no slash after it.', `${ISS_B}/`, 'formats'],
  ['spiffe-scheme-in-capitals', 'The scheme of a SPIFFE ID is in lower case.', 'SPIFFE://example.com/a', 'formats'],
];
for (const [name, shows, iss, step] of issuers) {
  invalid(`iss/${name}`, shows, token({ iss }, {}, agentB), 'CLAIM_INVALID iss', { step, trusting: [ISS_B] });
}
invalid(
  'iss/of-2049-bytes',
  'iss has at most 2,048 bytes.',
  token({ iss: `${ISS_ORG}/${'a'.repeat(2048 - ISS_ORG.length)}` }, {}, organisation),
  'CLAIM_INVALID iss',
  { step: 'formats', trusting: [ISS_ORG] },
);

reject(
  'aud',
  [
    ['number', 'aud is a text or a list, not a number.', 7],
    ['null', 'aud is a text or a list, not null.', null],
    ['object', 'aud is a text or a list, not an object.', { 0: AUD }],
    ['list-with-number', 'aud lists texts only, also where one of them fits.', [AUD, 7]],
    ['nested-list', 'aud is a flat list.', [[AUD]]],
    ['list-with-null', 'aud does not list null.', [AUD, null]],
  ],
  [
    ['empty-list', 'aud names somebody.', []],
    ['empty-string', 'aud is not empty.', ''],
    ['list-with-empty-string', 'aud lists nobody without a name.', [AUD, '']],
    ['65-entries', 'aud has at most 64 entries.', [AUD, ...Array.from({ length: 64 }, (_, at) => `urn:x:${at}`)]],
    ['control-character', 'aud has no control characters.', [AUD, 'a\u0007']],
    ['of-2049-bytes', 'aud has entries of at most 2,048 bytes.', [AUD, `${'é'.repeat(1024)}a`]],
  ],
);
reject(
  'jti',
  [
    ['number', 'jti is a text, not a number.', 7],
    ['null', 'jti is a text, not null.', null],
    ['list', 'jti is a text, not a list of one.', [JTI]],
  ],
  [
    ['empty', 'jti is not empty.', ''],
    ['no-uuid', 'jti is a UUID.', 'task-1'],
    ['capitals', 'jti is in lower case: one task has one spelling.', JTI.toUpperCase()],
    ['braces', 'jti has no braces.', `{${JTI}}`],
    ['urn', 'jti has no urn:uuid: before it.', `urn:uuid:${JTI}`],
    ['without-hyphens', 'jti has its hyphens.', JTI.replaceAll('-', '')],
    ['hyphens-elsewhere', 'jti has its hyphens where they belong.', '550e8400e-29b-41d4-a716-446655440000'],
    ['one-digit-short', 'jti has all its digits.', JTI.slice(0, -1)],
    ['one-digit-long', 'jti has no digit too many.', `${JTI}0`],
    ['line-feed-after', 'jti has no line end after it.', `${JTI}\n`],
    ['other-letter', 'jti has hexadecimal digits only.', JTI.replace('e', 'g')],
    ['full-width-digit', 'jti has digits of ASCII only.', JTI.replace('5', '５')],
  ],
);
reject(
  'wid',
  [
    ['null', 'wid is a text or absent, not null.', null],
    ['empty', 'wid is absent where there is no workflow, not empty.', ''],
    ['number', 'wid is a text, not a number.', 1],
    ['list', 'wid is one workflow, not a list.', [WID]],
  ],
  [
    ['no-uuid', 'wid is a UUID.', 'workflow-1'],
    ['capitals', 'wid is in lower case.', WID.toUpperCase()],
    ['blank-after', 'wid has no blank after it.', `${WID} `],
  ],
);
reject(
  'exec_act',
  [
    ['number', 'exec_act is a text, not a number.', 7],
    ['null', 'exec_act is a text, not null.', null],
    ['list', 'exec_act is one action, not a list.', ['review_spec']],
    ['object', 'exec_act is a text, not an object.', { act: 'review_spec' }],
  ],
  [
    ['empty', 'exec_act is not empty.', ''],
    ['of-257-characters', 'exec_act has at most 256 characters.', 'a'.repeat(257)],
    ['of-257-emoji', 'exec_act has at most 256 characters, of whatever size.', '😀'.repeat(257)],
    ['line-feed', 'exec_act has no line ends.', 'review\nspec'],
    ['escape', 'exec_act has no control characters, those of terminals for instance.', '\u001b[31mreview'],
    ['delete', 'exec_act has no DEL.', 'review\u007f'],
    ['c1-control', 'exec_act has no control characters above ASCII.', 'review\u0085spec'],
  ],
);

// pred.
const predecessors: readonly (readonly [string, string, unknown, 'claims' | 'formats'])[] = [
  ['null', 'pred is a list, not null.', null, 'claims'],
  ['string', 'pred is a list, not a text.', OTHER_JTI, 'claims'],
  ['object', 'pred is a list, not an object.', { 0: OTHER_JTI, length: 1 }, 'claims'],
  ['boolean', 'pred is a list, not false.', false, 'claims'],
  ['list-with-number', 'pred lists texts only.', [OTHER_JTI, 7], 'claims'],
  ['list-with-null', 'pred does not list null.', [null], 'claims'],
  ['nested-list', 'pred is a flat list.', [[OTHER_JTI]], 'claims'],
  ['list-of-objects', 'pred lists ids, not tasks.', [{ jti: OTHER_JTI }], 'claims'],
  ['empty-string', 'pred lists nobody without a name.', [''], 'formats'],
  ['no-uuid', 'pred lists UUIDs.', ['task-1'], 'formats'],
  ['capitals', 'pred is in lower case.', [OTHER_JTI.toUpperCase()], 'formats'],
  ['duplicate', 'pred names a task once.', [OTHER_JTI, OTHER_JTI], 'formats'],
  [
    'duplicate-far-apart',
    'pred names a task once, however far apart.',
    [OTHER_JTI, ...Array.from({ length: 50 }, (_, at) => uuidOf(`far ${at}`)), OTHER_JTI],
    'formats',
  ],
  ['itself', 'pred never names the task itself.', [JTI], 'formats'],
  [
    'itself-among-others',
    'pred never names the task itself, also not among others.',
    [OTHER_JTI, JTI, THIRD_JTI],
    'formats',
  ],
  [
    '101-entries',
    'pred has at most 100 entries.',
    Array.from({ length: 101 }, (_, at) => uuidOf(`pred ${at}`)),
    'formats',
  ],
];
for (const [name, shows, pred, step] of predecessors)
  invalid(`pred/${name}`, shows, token({ pred }), 'PRED_INVALID', { step });

// Hashes.
for (const claim of ['inp_hash', 'out_hash']) {
  reject(
    claim,
    [
      ['number', `${claim} is a text, not a number.`, 7],
      ['null', `${claim} is a text or absent, not null.`, null],
      ['empty', `${claim} is absent where there is none, not empty.`, ''],
    ],
    [
      ['42-characters', `${claim} has 43 characters, not 42.`, TEST_HASH.slice(1)],
      ['44-characters', `${claim} has 43 characters, not 44.`, `${TEST_HASH}A`],
      ['padding', `${claim} is written without padding.`, `${TEST_HASH}=`],
      ['unused-bits', `${claim} has unused bits that are zero.`, `${TEST_HASH.slice(0, -1)}h`],
      [
        'standard-alphabet',
        `${claim} has minus and underscore, not plus and slash.`,
        EMPTY_HASH.replaceAll('-', '+').replaceAll('_', '/'),
      ],
      ['hexadecimal', `${claim} is base64url, not hexadecimal.`, Buffer.from(TEST_HASH, 'base64url').toString('hex')],
      ['of-sha-512', `${claim} is a SHA-256: 64 octets are too many.`, `${TEST_HASH.slice(0, 42).repeat(2)}Ag`],
      ['blank-after', `${claim} has no blank after it.`, `${TEST_HASH} `],
    ],
  );
}

// The extension.
reject(
  'ect_ext',
  [
    ['string', 'ect_ext is an object, not a text.', '{}'],
    ['list', 'ect_ext is an object, not a list.', []],
    ['null', 'ect_ext is an object or absent, not null.', null],
    ['number', 'ect_ext is an object, not a number.', 1],
    ['boolean', 'ect_ext is an object, not true.', true],
  ],
  [],
);
const extension = (name: string, shows: string, ext: unknown, reason: string) =>
  invalid(`ext/${name}`, shows, token({ ect_ext: ext }), reason);
extension(
  'of-4097-bytes',
  'ect_ext has at most 4,096 bytes of compact JSON.',
  { a: 'x'.repeat(4089) },
  'EXT_TOO_LARGE',
);
extension(
  'of-4098-bytes-in-utf-8',
  'ect_ext is measured in bytes, not in characters.',
  { a: 'é'.repeat(2045) },
  'EXT_TOO_LARGE',
);
extension(
  'large-by-its-names',
  'Names of members count towards the size of ect_ext.',
  Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`member-${at}`, 0])),
  'EXT_TOO_LARGE',
);
extension('6-objects-deep', 'ect_ext is nested at most 5 deep.', JSON.parse(nest(6)), 'EXT_TOO_DEEP');
extension('6-lists-deep', 'Lists count towards the depth of ect_ext.', { a: [[[[[]]]]] }, 'EXT_TOO_DEEP');
extension(
  '6-deep-in-its-last-member',
  'The deepest member of ect_ext counts, wherever it stands.',
  { a: 1, b: {}, z: { y: [{ x: [{}] }] } },
  'EXT_TOO_DEEP',
);
extension(
  'both-too-large-and-too-deep',
  'The size of ect_ext is judged before its depth.',
  { a: 'x'.repeat(4096), b: JSON.parse(nest(6)) },
  'EXT_TOO_LARGE',
);
