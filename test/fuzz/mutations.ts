// Ways to change a token. Some stay on the surface, others decode a part, change it and encode it again, so that some
// mutants reach each step of the verification.

import { encode } from '../support/tokens.ts';
import { spell } from './spellings.ts';

/** Numbers that choose what a mutation does. */
export interface Dice {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

type Mutation = (token: string, dice: Dice, other: string) => string;

const CHARACTERS = 'ABCxyz019-_.=+/ \t\r\n\0{}[]":,\\%éе\ud800\ufeff';
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** On the characters of a token. */
const onText: Readonly<Record<string, Mutation>> = {
  flip: (token, { a, b }) => replace(token, a, (unit) => String.fromCharCode(unit.charCodeAt(0) ^ (1 << (b % 7)))),
  replace: (token, { a, b }) => replace(token, a, () => CHARACTERS.charAt(b % CHARACTERS.length)),
  otherLetter: (token, { a, b }) => replace(token, a, () => BASE64URL.charAt(b % 64)),
  otherCase: (token, { a }) =>
    replace(token, a, (unit) => (/[a-z]/.test(unit) ? unit.toUpperCase() : unit.toLowerCase())),
  insert: (token, { a, b }) => replace(token, a, (unit) => CHARACTERS.charAt(b % CHARACTERS.length) + unit),
  cut: (token, { a, b }) => token.slice(0, a % token.length) + token.slice((a % token.length) + 1 + (b % 40)),
  truncate: (token, { a }) => token.slice(0, a % token.length),
  truncateFront: (token, { a }) => token.slice(a % token.length),
  repeat: (token, { a, b }) =>
    token.slice(0, a % token.length) + token.slice(Math.max(0, (a % token.length) - (b % 40))),
  splice: (token, { a, b }, other) => token.slice(0, a % token.length) + other.slice(b % other.length),
  twice: (token, { a }) => token + (a % 2 === 0 ? token : `,${token}`),
  wrap: (token, { a }) => [`"${token}"`, ` ${token}`, `${token}\n`, `Bearer ${token}`, `\ufeff${token}`][a % 5]!,
};

/** On the three parts as they are encoded. */
const onParts: Readonly<Record<string, Mutation>> = {
  exchange: (token, { a }, other) => inParts(token, (parts) => parts.with(a % 3, other.split('.')[a % 3] ?? '')),
  swap: (token, { a, b }) => inParts(token, (parts) => parts.with(a % 3, parts[b % 3]!).with(b % 3, parts[a % 3]!)),
  empty: (token, { a }) => inParts(token, (parts) => parts.with(a % 3, '')),
  add: (token, { a }) => inParts(token, (parts) => parts.toSpliced(a % 4, 0, parts[a % 3]!)),
  alone: (token, { a }) => token.split('.')[a % 3] ?? '',
  pad: (token, { a, b }) => inPart(token, a, (part) => part + '='.repeat(1 + (b % 3))),
  standardAlphabet: (token, { a }) => inPart(token, a, (part) => part.replaceAll('-', '+').replaceAll('_', '/')),
  spareBits: (token, { a, b }) =>
    inPart(
      token,
      a,
      (part) => part.slice(0, -1) + (BASE64URL[BASE64URL.indexOf(part.at(-1) ?? 'A') ^ (1 + (b % 15))] ?? ''),
    ),
  encodeAgain: (token, { a }) => inPart(token, a, encode),
};

/** On the JSON of header or payload. */
const onJson: Readonly<Record<string, Mutation>> = {
  octet: (token, { a, b, c }) =>
    inPart(token, c % 2, (part) => {
      const octets = Buffer.from(part, 'base64url');
      if (octets.length > 0) octets[a % octets.length]! ^= 1 << (b % 8);
      return encode(octets);
    }),
  respell: (token, { a, c }) =>
    inJson(token, c, (value) => spell(value, { blank: ['', ' ', '\n'][a % 3]!, isEscaped: a % 2 === 0 })),
  reorder: (token, { c }) =>
    inJson(token, c, (value) => JSON.stringify(Object.fromEntries(Object.entries(value).toReversed()))),
  duplicate: (token, { a, c }) =>
    inJson(token, c, (value) => {
      const [name, member] = pick(Object.entries(value), a);
      return JSON.stringify(value).replace(/}$/, `,${JSON.stringify(name)}:${JSON.stringify(member)}}`);
    }),
  leaveOut: (token, { a, c }) =>
    inJson(token, c, (value) => JSON.stringify({ ...value, [pick(Object.keys(value), a)]: undefined })),
  change: (token, { a, b, c }) =>
    inJson(token, c, (value) => JSON.stringify({ ...value, [pick(Object.keys(value), a)]: pick(VALUES, b) })),
  add: (token, { a, b, c }) =>
    inJson(token, c, (value) => JSON.stringify({ ...value, [pick(NAMES, a)]: pick(VALUES, b) })),
  nest: (token, { a, c }) =>
    inJson(token, c, (value) =>
      JSON.stringify(value).replace(/}$/, `,"deep":${'['.repeat(a % 100)}${']'.repeat(a % 100)}}`),
    ),
};

const NAMES =
  'alg typ kid crit b64 jwk jku x5c zip cty iss aud exp par ext pol sub ect_ext __proto__ constructor'.split(' ');
const VALUES = [
  null,
  true,
  0,
  -1,
  1e20,
  '',
  'none',
  'HS256',
  'ES384',
  'JWT',
  '../x',
  [],
  {},
  ['a'],
  { a: { a: {} } },
  'x'.repeat(300),
];

/** On the numbers of the signature. */
const onSignature: Readonly<Record<string, Mutation>> = {
  twin: (token) => inSignature(token, (r, s) => [r, ORDER - s]),
  negative: (token) => inSignature(token, (r, s) => [ORDER - r, s]),
  zero: (token, { a }) => inSignature(token, (r, s) => (a % 2 === 0 ? [0n, s] : [r, 0n])),
  aroundOrder: (token, { a, b }) =>
    inSignature(token, (r, s) => (a % 2 === 0 ? [ORDER + BigInt(b % 3) - 1n, s] : [r, ORDER + BigInt(b % 3) - 1n])),
  swapped: (token) => inSignature(token, (r, s) => [s, r]),
  near: (token, { a }) => inSignature(token, (r, s) => [r, s + BigInt(a % 5) - 2n]),
};

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export const MUTATIONS: readonly Mutation[] = [onText, onParts, onJson, onSignature].flatMap(Object.values);

/** The other signature that everybody can make of a good one. */
export function twinOf(token: string): string {
  return inSignature(token, (r, s) => [r, ORDER - s]);
}

function replace(text: string, at: number, by: (unit: string) => string): string {
  if (text === '') return text;
  const place = at % text.length;
  return text.slice(0, place) + by(text.charAt(place)) + text.slice(place + 1);
}

function inParts(token: string, change: (parts: readonly string[]) => readonly string[]): string {
  const parts = token.split('.');
  return parts.length === 3 ? change(parts).join('.') : token;
}

function inPart(token: string, at: number, change: (part: string) => string): string {
  return inParts(token, (parts) => parts.with(at % 3, change(parts[at % 3]!)));
}

/** Changes the JSON of the header or the payload; the token stays as it is where that part is no object any more. */
function inJson(token: string, which: number, change: (value: object) => string): string {
  return inPart(token, which % 2, (part) => {
    const value = parse(Buffer.from(part, 'base64url').toString());
    return value === undefined || Object.keys(value).length === 0 ? part : encode(change(value));
  });
}

function inSignature(token: string, change: (r: bigint, s: bigint) => readonly [bigint, bigint]): string {
  return inPart(token, 2, (part) => {
    const hex = Buffer.from(part, 'base64url').toString('hex');
    if (hex.length !== 128) return part;
    const [r, s] = change(BigInt(`0x${hex.slice(0, 64)}`), BigInt(`0x${hex.slice(64)}`));
    const write = (value: bigint) => BigInt.asUintN(256, value).toString(16).padStart(64, '0');
    return encode(Buffer.from(write(r) + write(s), 'hex'));
  });
}

function parse(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function pick<T>(items: readonly T[], at: number): T {
  return items[at % items.length]!;
}
