import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { digestOfToken, type Level, TOKEN_STEPS } from '../../src/token/index.ts';
import { readUnsigned, writeUnsigned } from '../../src/token/unsigned.ts';
import { encode, header, JTI, makeToken, NOW, OTHER_JTI, payload } from '../support/tokens.ts';
import { faultIn, judge, reasonFor } from './judge.ts';

const L1 = { policy: { minimumLevel: 'L1' as Level } };
/** Without the two dots that a signed token has. */
const claims = { ...payload, iss: 'urn:example:a', aud: ['spiffe://example.com/agent/b'] };
const object = JSON.stringify(claims);

function reasonOf(changes: object): string {
  return faultIn(JSON.stringify({ ...claims, ...changes }), L1);
}

describe('an unsigned object', () => {
  test.each([
    ['JSON', object],
    ['JSON with blanks', ` {\n${object.slice(1)}\t\r\n`],
    ['base64url of JSON', encode(object)],
  ])('is valid as %s where the minimum allows it, by no key', (_, text) => {
    expect(judge(text, L1)).toMatchObject({
      ok: true,
      token: { level: 'L1', kid: '', draft: '01', claims: { jti: JTI, iss: 'urn:example:a' } },
    });
  });

  test('is identified by every one of its bytes', () => {
    const spaced = `${object} `;
    for (const text of [object, spaced, encode(object), object.replace('review_spec', 'prüfung')]) {
      const verdict = judge(text, L1);
      const digest = createHash('sha256').update(text, 'utf8').digest();
      expect(verdict.ok && Buffer.from(verdict.token.digest).equals(digest)).toBe(true);
      expect(verdict.ok && Buffer.from(verdict.token.signingInput).toString()).toBe(text);
      expect(digestOfToken(text)).toEqual(digest);
    }
  });

  test('has no step of a signature, and each of the others', () => {
    const { outcomes } = judge(object, L1);
    const skipped = TOKEN_STEPS.filter((_, at) => outcomes[at] === 'SKIPPED').map(({ name }) => name);
    expect(skipped).toEqual(['typ', 'header', 'alg', 'key', 'key_state', 'signature', 'issuer', 'hashes']);
  });

  test('keeps the rules of every claim', () => {
    expect(reasonOf({ jti: 'x' })).toBe('CLAIM_INVALID jti');
    expect(reasonOf({ pred: undefined })).toBe('CLAIM_MISSING pred');
    expect(reasonOf({ pred: [JTI] })).toBe('PRED_INVALID');
    expect(reasonOf({ exp: NOW })).toBe('CLAIM_INVALID exp');
    expect(reasonOf({ aud: ['urn:other'] })).toBe('AUDIENCE_MISMATCH');
    expect(reasonOf({ iat: NOW - 901, exp: NOW - 1 })).toBe('TOKEN_EXPIRED');
    expect(reasonOf({ pred: [OTHER_JTI], inp_hash: 'x' })).toBe('CLAIM_INVALID inp_hash');
  });

  test('is one of draft -01: -00 has no levels', () => {
    expect(reasonOf({ pred: undefined, par: [] })).toBe('CLAIM_INVALID par');
    expect(reasonOf({ pol: 'p', pol_decision: 'approved' })).toBe('CLAIM_INVALID pol');
    expect(reasonFor(object, { policy: { minimumLevel: 'L1', drafts: ['00'] } })).toBe('LEVEL_TOO_LOW');
  });

  test('binds what came along', () => {
    const hashed = JSON.stringify({ ...claims, inp_hash: 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg' });
    expect(reasonFor(hashed, { ...L1, question: { input: Buffer.from('test') } })).toBe('VALID');
    expect(reasonFor(hashed, { ...L1, question: { input: Buffer.from('text') } })).toBe('INPUT_HASH_MISMATCH');
  });
});

describe('it is as strict JSON as a payload is', () => {
  test.each([
    ['a duplicate claim', object.replace('{', '{"iss":"urn:example:a",')],
    ['a duplicate in escaped spelling', object.replace('{', '{"\\u0069ss":"urn:example:a",')],
    ['a byte order mark', `\uFEFF${object}`],
    ['trailing text', `${object}x`],
    ['33 levels', `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`],
    ['an array', '[]'],
    ['nothing', ''],
    ['a word', 'null'],
    ['padded base64url', `${encode(`${object} `)}=`],
    ['base64url of an array', encode('[]')],
    ['base64url of a byte order mark', encode(`\uFEFF${object}`)],
    ['base64url of base64url', encode(encode(object))],
    ['base64url of what is not UTF-8', encode(Buffer.from([0x7b, 0xff, 0x7d]))],
  ])('T12, T13: %s is malformed', (_, text) => {
    expect(reasonFor(text, L1)).toBe('TOKEN_MALFORMED');
  });

  test('T15: it is bounded by its bytes before it is parsed', () => {
    const fill = (bytes: number) => `{"a":"${'é'.repeat((bytes - 8) / 2)}"}`;
    expect(Buffer.byteLength(fill(16_384))).toBe(16_384);
    expect(faultIn(fill(16_384), L1)).toBe('CLAIM_MISSING iss');
    expect(reasonFor(fill(16_386), L1)).toBe('TOKEN_TOO_LARGE');
  });
});

describe('the minimum level', () => {
  test('is L2 unless something is said', () => {
    expect(judge(object)).toMatchObject({
      ok: false,
      rejection: { reason: 'LEVEL_TOO_LOW', metadata: { minimum: 'L2' } },
    });
  });

  test('may be lower for some actions, and higher', () => {
    const minimumLevels = new Map<string, Level>([['review_spec', 'L1']]);
    expect(reasonFor(object, { policy: { minimumLevels } })).toBe('VALID');
    expect(reasonOf({ exec_act: 'execute_trade' })).toBe('VALID');
    expect(reasonFor(object, { policy: { minimumLevels: new Map([['execute_trade', 'L1']]) } })).toBe('LEVEL_TOO_LOW');
    const higher = { minimumLevel: 'L1' as Level, minimumLevels: new Map<string, Level>([['review_spec', 'L3']]) };
    expect(judge(object, { policy: higher })).toMatchObject({ rejection: { metadata: { minimum: 'L3' } } });
  });

  test('is raised by the asker and never lowered', () => {
    expect(reasonFor(object, { ...L1, question: { minimumLevel: 'L2' } })).toBe('LEVEL_TOO_LOW');
    expect(reasonFor(object, { ...L1, question: { minimumLevel: 'L1' } })).toBe('VALID');
    expect(reasonFor(object, { question: { minimumLevel: 'L1' } })).toBe('LEVEL_TOO_LOW');
  });

  test('is not met by an action that is no text', () => {
    expect(reasonOf({ exec_act: 7 })).toBe('CLAIM_INVALID exec_act');
    const text = JSON.stringify({ ...claims, exec_act: ['review_spec'] });
    expect(reasonFor(text, { policy: { minimumLevels: new Map([['review_spec', 'L1']]) } })).toBe('LEVEL_TOO_LOW');
  });
});

describe('T11: what looks signed is never taken for an unsigned object', () => {
  test.each([
    ['a token whose signature is wrong', 'SIGNATURE_INVALID', `${makeToken().slice(0, -8)}AAAAAAAA`],
    [
      'a token with alg none and no signature',
      'ALG_NOT_ALLOWED',
      `${encode({ ...header, alg: 'none' })}.${encode(object)}.`,
    ],
    ['base64url of an object between two dots', 'TOKEN_MALFORMED', `.${encode(object)}.`],
    ['JSON that also splits into three parts', 'TOKEN_MALFORMED', JSON.stringify({ ...claims, x: 'a.b' })],
    [
      'a token in JSON serialization, with two dots',
      'TOKEN_MALFORMED',
      JSON.stringify({ ...claims, 'a.b.c': '' }).replace('example.com', 'example'),
    ],
  ])('%s: %s', (_, reason, text) => {
    expect(text.split('.')).toHaveLength(3);
    expect(reasonFor(text, L1)).toBe(reason);
  });

  test('so what would look signed is written as base64url', () => {
    const dotted = JSON.stringify(payload);
    expect(dotted.split('.')).toHaveLength(3);
    expect(reasonFor(dotted, L1)).toBe('TOKEN_MALFORMED');
    expect(writeUnsigned(dotted)).toBe(encode(dotted));
    expect(reasonFor(writeUnsigned(dotted), L1)).toBe('VALID');
    expect(writeUnsigned(object)).toBe(object);
  });
});

describe('the outer form', () => {
  test.each([
    ['{"iss":"a"}', true],
    [' {} ', true],
    ['e30', true],
    ['', false],
    ['abc', false],
    ['W10', false],
    ['{"a":1,"a":1}', false],
    ['e31', false],
  ])('%j is an unsigned object: %s', (text, answer) => {
    expect(typeof readUnsigned(text) !== 'string').toBe(answer);
  });
});
