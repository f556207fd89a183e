// Headers and payloads that are no strict JSON, in tokens that are signed well.

import { invalid } from './collect.ts';
import { agentA, ISS } from './keys.ts';
import { header, JTI, nest, payload, payloadText, signParts, withPayload } from './token.ts';

const malformed = (name: string, shows: string, text: string) => invalid(name, shows, text, 'TOKEN_MALFORMED');

// The payload is one JSON object.
const notJson: readonly (readonly [name: string, shows: string, payload: string | Uint8Array])[] = [
  ['array', 'The payload is an object, not a list.', '[]'],
  ['string', 'The payload is an object, not a text.', '"x"'],
  ['number', 'The payload is an object, not a number.', '7'],
  ['null', 'The payload is an object, not null.', 'null'],
  ['blank', 'The payload is not a blank.', ' '],
  ['byte-order-mark', 'JSON begins without a byte order mark.', `\uFEFF${payloadText}`],
  ['text-after-the-object', 'Nothing follows the object of the payload.', `${payloadText} x`],
  ['second-object', 'The payload is one object, not two.', `${payloadText}${payloadText}`],
  ['closing-brace-too-many', 'The payload has no closing brace too many.', `${payloadText}}`],
  ['nul-after-the-object', 'NUL does not end a text.', `${payloadText}\0`],
  ['block-comment', 'JSON has no comments.', payloadText.replace('{', '{/* x */')],
  ['line-comment', 'JSON has no comments up to the end of a line.', `${payloadText}// x`],
  ['nan', 'JSON has no NaN.', payloadText.replace('}', ',"x":NaN}')],
  ['infinity', 'JSON has no Infinity.', payloadText.replace('}', ',"x":Infinity}')],
  ['undefined', 'JSON has no undefined.', payloadText.replace('}', ',"x":undefined}')],
  ['literal-in-capitals', 'The words of JSON are in lower case.', payloadText.replace('}', ',"x":True}')],
  ['single-quotes', 'JSON has double quotes.', payloadText.replaceAll('"', "'")],
  ['unquoted-name', 'Names of members stand in quotes.', payloadText.replace('"iss"', 'iss')],
  ['number-as-name', 'Names of members are texts.', payloadText.replace('}', ',1:2}')],
  ['trailing-comma', 'No comma stands before the end of an object.', payloadText.replace('}', ',}')],
  ['leading-comma', 'No comma stands at the beginning of an object.', payloadText.replace('{', '{,')],
  ['double-comma', 'One comma stands between members.', payloadText.replace(',', ',,')],
  ['missing-comma', 'A comma stands between members.', payloadText.replace(',"iat"', ' "iat"')],
  ['missing-colon', 'A colon stands between name and value.', payloadText.replace('"iss":', '"iss" ')],
  ['missing-value', 'Every member has a value.', payloadText.replace('}', ',"x":}')],
  [
    'trailing-comma-in-list',
    'No comma stands before the end of a list.',
    payloadText.replace('"pred":[]', `"pred":["${JTI}",]`),
  ],
  ['unfinished-object', 'An object is closed.', payloadText.slice(0, -1)],
  ['unfinished-list', 'A list is closed.', payloadText.replace('[]}', '[}')],
  ['unfinished-text', 'A text is closed.', payloadText.slice(0, 20)],
  ['leading-zero', 'A number does not begin with a zero too many.', payloadText.replace('"iat":', '"iat":0')],
  ['leading-plus', 'A number has no plus before it.', payloadText.replace('"iat":', '"iat":+')],
  ['hexadecimal', 'A number is written in tens.', payloadText.replace('}', ',"x":0x10}')],
  ['no-digit-before-the-point', 'A digit stands before the decimal point.', payloadText.replace('}', ',"x":.5}')],
  ['no-digit-after-the-point', 'A digit stands after the decimal point.', payloadText.replace('}', ',"x":5.}')],
  ['no-digit-in-the-exponent', 'An exponent has a digit.', payloadText.replace('}', ',"x":5e}')],
  ['digit-separator', 'A number has no separators.', payloadText.replace('}', ',"x":1_000}')],
  [
    'number-out-of-range-in-ext',
    'A number in ect_ext that no double holds is rejected.',
    payloadText.replace('}', ',"ect_ext":{"a":1e400}}'),
  ],
  ['raw-line-feed', 'A line end inside a text is escaped.', payloadText.replace('review_spec', 'review\nspec')],
  ['raw-tab', 'A tab inside a text is escaped.', payloadText.replace('review_spec', 'review\tspec')],
  ['raw-nul', 'NUL inside a text is rejected.', payloadText.replace('review_spec', 'review\0spec')],
  ['escaped-nul', 'NUL is rejected in escaped spelling too.', payloadText.replace('review_spec', 'review\\u0000spec')],
  ['escaped-nul-in-a-name', 'NUL is rejected in names too.', payloadText.replace('}', ',"x\\u0000":1}')],
  ['unknown-escape', 'JSON has no escape \\x.', payloadText.replace('review_spec', '\\x41')],
  ['escaped-single-quote', 'JSON does not escape single quotes.', payloadText.replace('review_spec', "\\'")],
  ['short-unicode-escape', 'A Unicode escape has four digits.', payloadText.replace('review_spec', '\\u41')],
  ['braced-unicode-escape', 'A Unicode escape has no braces.', payloadText.replace('review_spec', '\\u{41}')],
  [
    'lone-high-surrogate',
    'The first half of a pair does not stand alone.',
    payloadText.replace('review_spec', '\\ud83d'),
  ],
  [
    'lone-low-surrogate',
    'The second half of a pair does not stand alone.',
    payloadText.replace('review_spec', '\\ude00'),
  ],
  [
    'reversed-surrogates',
    'The halves of a pair stand in their order.',
    payloadText.replace('review_spec', '\\ude00\\ud83d'),
  ],
  ['two-high-surrogates', 'Two first halves are no pair.', payloadText.replace('review_spec', '\\ud83d\\ud83d')],
  ['surrogate-in-a-name', 'Half a pair is rejected in names too.', payloadText.replace('}', ',"\\ud800":1}')],
  [
    'no-break-space-between-members',
    'Only four blanks may stand between members.',
    payloadText.replace(',"iat"', ',\u00A0"iat"'),
  ],
  ['form-feed-between-members', 'A form feed is no blank of JSON.', payloadText.replace(',"iat"', ',\f"iat"')],
  ['utf-16', 'JSON is written in UTF-8, not in UTF-16.', Buffer.from(payloadText, 'utf16le')],
  [
    'utf-16-with-mark',
    'A byte order mark does not make UTF-16 readable.',
    Buffer.from(`\uFEFF${payloadText}`, 'utf16le').swap16(),
  ],
  [
    'utf-32',
    'JSON is written in UTF-8, not in UTF-32.',
    Buffer.from(Array.from(payloadText, (char) => [0, 0, 0, char.charCodeAt(0)]).flat()),
  ],
  [
    'latin-1',
    'JSON is written in UTF-8, not in Latin-1.',
    Buffer.from(payloadText.replace('review_spec', 'prüfen'), 'latin1'),
  ],
  ['overlong-utf-8', 'UTF-8 spells each character in its shortest form.', octetsInText('c0af')],
  ['overlong-nul', 'NUL in two octets is no UTF-8.', octetsInText('c080')],
  ['surrogates-in-utf-8', 'UTF-8 has no halves of pairs.', octetsInText('eda0bdedb880')],
  ['truncated-utf-8', 'A character of UTF-8 is not cut off.', octetsInText('e282')],
  ['stray-continuation', 'A character of UTF-8 does not begin in its middle.', octetsInText('80')],
  ['beyond-unicode', 'Nothing lies beyond U+10FFFF.', octetsInText('f4908080')],
  ['octet-ff', 'The octet FF never stands in UTF-8.', octetsInText('ff')],
  ['nested-33-deep', 'JSON is nested at most 32 deep.', payloadText.replace(/}$/, `,"x":${nest(32)}}`)],
  [
    'nested-33-arrays-deep',
    'Lists count like objects towards the depth of JSON.',
    payloadText.replace(/}$/, `,"x":${'['.repeat(32)}${']'.repeat(32)}}`),
  ],
  [
    'nested-5000-deep',
    'Depth is bounded before anything is parsed.',
    payloadText.replace(/}$/, `,"x":${'['.repeat(5000)}${']'.repeat(5000)}}`),
  ],
  ['nested-5000-deep-and-open', 'Lists that are opened and never closed exhaust nothing.', `{"x":${'['.repeat(5000)}`],
];
for (const [name, shows, text] of notJson) malformed(`json/${name}`, shows, withPayload(text));

function octetsInText(hex: string): Buffer {
  const [before = '', after = ''] = payloadText.split('review_spec');
  return Buffer.concat([Buffer.from(before), Buffer.from(hex, 'hex'), Buffer.from(after)]);
}

// No member is there twice.
for (const [claim, value] of Object.entries({ ...payload, wid: JTI, inp_hash: 'x', ect_ext: {} })) {
  const again = `"${claim}":${JSON.stringify(value)}`;
  const text = payloadText.includes(`"${claim}"`)
    ? payloadText.replace(/}$/, `,${again}}`)
    : payloadText.replace(/}$/, `,${again},${again}}`);
  malformed(`duplicate/${claim}`, `${claim} is there once, even where both say the same.`, withPayload(text));
}
const twice: readonly (readonly [name: string, shows: string, text: string])[] = [
  [
    'adjacent-with-other-value',
    'Of two members with one name neither wins.',
    payloadText.replace('"iss"', `"iss":"${ISS}/x","iss"`),
  ],
  [
    'in-escaped-spelling',
    'Names are compared as they read, not as they are spelled.',
    payloadText.replace('}', `,"\\u0069ss":"${ISS}"}`),
  ],
  [
    'in-escaped-spelling-in-capitals',
    'The digits of an escape may be capitals.',
    payloadText.replace('}', ',"\\u006Ati":"x"}'),
  ],
  ['unknown-claim', 'Unknown claims are there once too.', payloadText.replace('}', ',"x":1,"x":1}')],
  ['empty-name', 'A name without characters is a name.', payloadText.replace('}', ',"":1,"":2}')],
  ['in-ext', 'Members of ect_ext are there once.', payloadText.replace('}', ',"ect_ext":{"a":1,"a":2}}')],
  [
    'deep-in-ext',
    'Members are there once at every depth.',
    payloadText.replace(/}$/, ',"ect_ext":{"a":{"b":[{"c":1,"c":1}]}}}'),
  ],
  [
    'in-a-list',
    'Members of objects in a list are there once.',
    payloadText.replace(/}$/, ',"x":[{"y":1,"z":2,"y":3}]}'),
  ],
  [
    'prototype',
    '__proto__ is a name like others, and there once.',
    payloadText.replace(/}$/, ',"__proto__":1,"__proto__":2}'),
  ],
];
for (const [name, shows, text] of twice) malformed(`duplicate/${name}`, shows, withPayload(text));

// The header is one JSON object too.
const headerText = JSON.stringify(header);
const badHeaders: readonly (readonly [name: string, shows: string, text: string | Uint8Array])[] = [
  ['array', 'The header is an object, not a list.', `[${headerText}]`],
  ['text-after-the-object', 'Nothing follows the object of the header.', `${headerText}.`],
  ['byte-order-mark', 'The header begins without a byte order mark.', `\uFEFF${headerText}`],
  ['trailing-comma', 'The header is strict JSON too.', headerText.replace('}', ',}')],
  ['no-utf-8', 'The header is written in UTF-8.', Buffer.from(headerText.replace('agent', 'agént'), 'latin1')],
  ['nul-in-kid', 'A kid does not hold NUL.', headerText.replace('agent', 'agent\\u0000')],
  [
    'duplicate-alg',
    'alg is there once: two verifiers must not read two algorithms.',
    headerText.replace('{', '{"alg":"none",'),
  ],
  ['duplicate-typ', 'typ is there once.', headerText.replace('}', ',"typ":"exec+jwt"}')],
  ['duplicate-kid', 'kid is there once.', headerText.replace('}', `,"kid":"${agentA.kid}"}`)],
  [
    'duplicate-in-escaped-spelling',
    'Names of header members are compared as they read.',
    headerText.replace('}', ',"\\u0061lg":"ES256"}'),
  ],
  ['duplicate-unknown-member', 'Unknown header members are there once too.', headerText.replace('}', ',"x":1,"x":1}')],
  ['nested-33-deep', 'The header is nested at most 32 deep.', headerText.replace('}', `,"x":${nest(32)}}`)],
];
for (const [name, shows, text] of badHeaders) malformed(`header-json/${name}`, shows, signParts(text, payload));
