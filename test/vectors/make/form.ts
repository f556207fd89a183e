// Texts that are no token in its one spelling: sizes, parts, base64url.

import { invalid } from './collect.ts';
import { encode, first, goodToken, header, ofLength, payload, second, signParts, third, withPayload } from './token.ts';

const malformed = (name: string, shows: string, text: string) => invalid(name, shows, text, 'TOKEN_MALFORMED');
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A part in another spelling: some of the bits that its last character leaves unused are set. */
function withUnusedBits(part: string, bits: number): string {
  return part.slice(0, -1) + ALPHABET[ALPHABET.indexOf(part.at(-1)!) | bits];
}

/** The parts of a good token whose header and payload both leave bits of their last character unused. */
const [head = '', body = '', tail = ''] = [0, 1, 2]
  .flatMap((x) => [0, 1, 2].map((y) => signParts({ ...header, x: '-'.repeat(x) }, { ...payload, y: '-'.repeat(y) })))
  .map((token) => token.split('.'))
  .find((parts) => parts.every((part) => part.length % 4 > 1))!;

// Size.
invalid(
  'size/one-character-too-long',
  'A token has at most 16,384 characters.',
  ofLength(payload, 16_385),
  'TOKEN_TOO_LARGE',
);
invalid('size/dots-alone', 'The size is looked at before anything else.', '.'.repeat(20_000), 'TOKEN_TOO_LARGE');
invalid(
  'size/unsigned-object',
  'The size of an unsigned object is limited too.',
  JSON.stringify({ ...payload, x: 'x'.repeat(16_384) }),
  'TOKEN_TOO_LARGE',
);

// Parts.
malformed('form/empty', 'No text is no token.', '');
malformed('form/header-alone-without-json', 'One part that is no JSON is neither signed nor unsigned.', 'c2lnbmVk');
malformed('form/two-parts', 'A token has three parts, not two.', `${first}.${second}`);
malformed('form/four-parts', 'A token has three parts, not four.', `${goodToken}.${third}`);
malformed(
  'form/five-parts',
  'An encrypted token (JWE) is no Execution Context Token.',
  `${first}.${encode('key')}.${encode('iv')}.${second}.${third}`,
);
malformed('form/dots-alone', 'Three empty parts are no token.', '..');
malformed('form/trailing-dot', 'Nothing follows the signature, not even a dot.', `${goodToken}.`);
malformed('form/leading-dot', 'Nothing comes before the header, not even a dot.', `.${goodToken}`);
malformed('form/empty-header', 'The header is not empty.', `.${second}.${third}`);
malformed('form/empty-payload', 'The payload is not empty, and never detached.', `${first}..${third}`);
malformed('form/nested-jws', 'The payload is not another token.', withPayload(goodToken));
malformed(
  'form/polyglot',
  'What has two dots is a signed token or nothing, also where it reads as JSON.',
  '{"a":"x.y.z"}',
);
malformed(
  'form/json-with-dots-inside',
  'An unsigned object that has exactly two dots is never read as one.',
  JSON.stringify({ ...payload, iss: 'https://a.b/' }),
);
malformed('form/bearer-prefix', 'The word Bearer is no part of a token.', `Bearer ${goodToken}`);
malformed('form/in-quotes', 'Quotes are no part of a token.', `"${goodToken}"`);
malformed('form/in-a-json-list', 'A list of one token is no token.', `["${goodToken}"]`);
malformed('form/two-tokens', 'Two tokens with a comma between them are no token.', `${goodToken},${goodToken}`);

// Base64url.
malformed('form/padding-in-header', 'Base64url is written without padding: header.', `${head}=.${body}.${tail}`);
malformed('form/padding-in-payload', 'Base64url is written without padding: payload.', `${head}.${body}=.${tail}`);
malformed('form/padding-in-signature', 'Base64url is written without padding: signature.', `${goodToken}==`);
malformed(
  'form/unused-bits-in-header',
  'The unused bits of the last character are zero: header.',
  `${withUnusedBits(head, 1)}.${body}.${tail}`,
);
malformed(
  'form/unused-bits-in-payload',
  'The unused bits of the last character are zero: payload.',
  `${head}.${withUnusedBits(body, 1)}.${tail}`,
);
malformed(
  'form/unused-bits-in-signature',
  'The unused bits of the last character are zero: signature.',
  `${first}.${second}.${withUnusedBits(third, 1)}`,
);
malformed(
  'form/all-unused-bits-in-signature',
  'None of the sixteen spellings of a signature but one is read.',
  `${first}.${second}.${withUnusedBits(third, 15)}`,
);
malformed(
  'form/one-character-too-many',
  'No base64url has one character more than a multiple of four.',
  `${first}.${second}.${third}AAA`,
);
malformed(
  'form/standard-alphabet-plus',
  'Base64url has a minus where base64 has a plus.',
  `${first}.${encode({ ...payload, x: '>>>>>>' }).replaceAll('-', '+')}.${third}`,
);
malformed(
  'form/standard-alphabet-slash',
  'Base64url has an underscore where base64 has a slash.',
  `${first}.${encode({ ...payload, x: '??????' }).replaceAll('_', '/')}.${third}`,
);
malformed('form/percent-encoded', 'A token is not percent-encoded.', goodToken.replaceAll('.', '%2E'));
malformed('form/blank-before', 'A blank before a token is another spelling.', ` ${goodToken}`);
malformed('form/blank-after', 'A blank after a token is another spelling.', `${goodToken} `);
malformed('form/line-feed-after', 'A line end after a token is another spelling.', `${goodToken}\n`);
malformed(
  'form/carriage-return-inside',
  'Base64url is not wrapped into lines.',
  `${first}.${second.slice(0, 76)}\r\n${second.slice(76)}.${third}`,
);
malformed(
  'form/tab-inside',
  'A tab inside a part is another spelling.',
  `${first}.${second}.${third.slice(0, 9)}\t${third.slice(9)}`,
);
malformed(
  'form/nul-inside',
  'NUL inside a part is another spelling.',
  `${first.slice(0, 9)}\0${first.slice(9)}.${second}.${third}`,
);
malformed('form/byte-order-mark-before', 'A byte order mark before a token is another spelling.', `\uFEFF${goodToken}`);
malformed(
  'form/zero-width-space-inside',
  'A blank that nobody sees is another spelling.',
  `${first}.${second}.${third.slice(0, 9)}\u200B${third.slice(9)}`,
);
malformed(
  'form/cyrillic-letter',
  'A letter that only looks Latin is not base64url.',
  `${first.replace('e', 'е')}.${second}.${third}`,
);
malformed(
  'form/full-width-letter',
  'A full-width letter is not base64url.',
  `${first.replace('e', 'ｅ')}.${second}.${third}`,
);
malformed('form/full-width-dot', 'A full-width dot divides nothing.', `${first}．${second}．${third}`);
