// Every rejection says in a sentence what must be so, and its facts say the limits. People act on these.

import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/keys/index.ts';
import {
  encode,
  header,
  JTI,
  KID,
  makeToken,
  NOW,
  OTHER_JTI,
  payload,
  signingKey,
  signParts,
  trust,
} from '../support/tokens.ts';
import { judge } from './judge.ts';

type Circumstances = Parameters<typeof judge>[1];

function sentenceOn(token: string, circumstances: Circumstances = {}): string {
  const verdict = judge(token, circumstances);
  if (verdict.ok) return 'VALID';
  const { message, metadata: facts } = verdict.rejection;
  return [message, ...Object.entries(facts).map(([name, fact]) => `[${name} ${fact}]`)].join(' ');
}

const many = (count: number) =>
  Array.from({ length: count }, (_, at) => `${OTHER_JTI.slice(0, -3)}${String(at).padStart(3, '0')}`);
const object = JSON.stringify({ exec_act: 'x' });
const ring = (times: object, key = signingKey) => ({ ring: new KeyRing([trust(key, times)]) });

const BOUND = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';

describe('the envelope', () => {
  test.each<[string, string, Circumstances?]>([
    ['The token is too long. [limit_bytes 16384]', 'x'.repeat(16_385)],
    ['The token is malformed: a part is not canonical base64url.', 'a.b.='],
    [
      'The token is malformed: the header is not strict JSON: it is not an object.',
      `${encode('[]')}.${encode(payload)}.`,
    ],
    [
      'The token is malformed: the payload is not strict JSON: it is not UTF-8.',
      `${encode(header)}.${encode(Buffer.from([0xff]))}.`,
    ],
    ['The token is malformed: it has neither three parts, nor is it a JSON object or the base64url of one.', 'a.b.c.d'],
    ['The token is malformed: it has neither three parts, nor is it a JSON object or the base64url of one.', 'nope'],
    ['The token is malformed: it has a duplicate member.', '{"a":1,"a":1}'],
    ['The token is unsigned (L1), and must be L2 at least. [minimum L2]', object],
    ['The token is unsigned (L1), and must be L3 at least. [minimum L3]', object, { question: { minimumLevel: 'L3' } }],
    [
      'The token is unsigned (L1), and draft -01 is not accepted here. [minimum L2]',
      object,
      { policy: { minimumLevel: 'L1', drafts: ['00'] } },
    ],
    ["The header's typ must be exec+jwt or wimse-exec+jwt.", makeToken({}, { typ: 'JWT' })],
    ['The header must not have jku. [member jku]', makeToken({}, { jku: 'x' })],
    ['alg must be ES256.', makeToken({}, { alg: 'none' })],
    ['alg must be ES256 or PS256.', makeToken({}, { alg: 'none' }), { policy: { algorithms: ['ES256', 'PS256'] } }],
    ['The header must have a kid of 1 to 256 characters.', makeToken({}, { kid: 'x'.repeat(257) })],
    ['No trusted key has this kid.', makeToken({}, { kid: 'x'.repeat(256) })],
    ['The key was revoked.', makeToken(), ring({ revokedAt: NOW })],
    ['The key is not in force yet.', makeToken(), ring({ notBefore: NOW + 1 })],
    ['The key has expired.', makeToken(), ring({ notAfter: NOW })],
    ['The key does not fit PS256.', makeToken({}, { alg: 'PS256' }), { policy: { algorithms: ['PS256'] } }],
    ['The signature does not verify.', `${makeToken().slice(0, -8)}AAAAAAAA`],
    ['The key that signed does not speak for iss.', makeToken({ iss: 'urn:x' })],
  ])('%s', (sentence, token, circumstances) => {
    expect(sentenceOn(token, circumstances)).toBe(sentence);
  });
});

describe('the claims', () => {
  const older = { pred: undefined, par: [], typ: 'wimse-exec+jwt' };
  test.each<[string, object]>([
    ['The token has no iss. [claim iss]', { iss: undefined }],
    ['iss must be a string. [claim iss]', { iss: 7 }],
    ['jti must be a string. [claim jti]', { jti: 7 }],
    ['jti must be a string. [claim jti]', { jti: [JTI] }],
    ['exec_act must be a string. [claim exec_act]', { exec_act: { length: 3 } }],
    ['iat must be an integer of seconds. [claim iat]', { iat: '1' }],
    ['exp must be an integer of seconds. [claim exp]', { exp: 1.5 }],
    ['aud must be a string or a list of strings. [claim aud]', { aud: [7] }],
    ['pred must be a list of strings.', { pred: [7] }],
    ['wid must be a non-empty string. [claim wid]', { wid: '' }],
    ['inp_hash must be a non-empty string. [claim inp_hash]', { inp_hash: '' }],
    ['out_hash must be a non-empty string. [claim out_hash]', { out_hash: 7 }],
    ['ect_ext must be an object. [claim ect_ext]', { ect_ext: [] }],
    ['iss must be an absolute URI of at most 2048 bytes. [claim iss]', { iss: 'x' }],
    ['aud must have 1 to 64 entries. [claim aud]', { aud: [] }],
    ['aud must have entries of 1 to 2048 bytes without control characters. [claim aud]', { aud: ['urn:a', ''] }],
    ['jti must be a UUID in lower case. [claim jti]', { jti: JTI.toUpperCase() }],
    ['wid must be a UUID in lower case. [claim wid]', { wid: 'x' }],
    ['exec_act must have 1 to 256 characters and no control characters. [claim exec_act]', { exec_act: '' }],
    ['exp must be later than iat. [claim exp]', { exp: NOW }],
    ['exp must be at most 86400 s after iat. [claim exp]', { exp: NOW + 86_401 }],
    ['pred has more than 100 entries.', { pred: many(101) }],
    ['Each entry of pred must be a UUID in lower case.', { pred: ['x'] }],
    ['pred names a task twice.', { pred: [OTHER_JTI, OTHER_JTI] }],
    ['pred names the task itself.', { pred: [JTI] }],
    ['inp_hash must be a SHA-256 as 43 characters of base64url. [claim inp_hash]', { inp_hash: 'x' }],
    ['ect_ext has more than 4096 bytes of compact JSON. [limit_bytes 4096]', { ect_ext: { a: 'x'.repeat(4096) } }],
    ['ect_ext is nested more than 5 deep. [limit_depth 5]', { ect_ext: { a: { b: { c: { d: { e: {} } } } } } }],
    ['pol is missing: pol and pol_decision go together. [claim pol]', { ect_ext: { pol_decision: 'approved' } }],
    ['pol_decision is missing: pol and pol_decision go together. [claim pol_decision]', { ect_ext: { pol: 'p' } }],
    [
      'pol must be a text of 1 to 2048 characters without control characters. [claim pol]',
      { ect_ext: { pol: '', pol_decision: 'approved' } },
    ],
    [
      'pol_timestamp must be an integer of seconds before the year 10000. [claim pol_timestamp]',
      { ect_ext: { pol_timestamp: 1.5 } },
    ],
    [
      'compensation_required must be true or false. [claim compensation_required]',
      { ect_ext: { compensation_required: 'yes' } },
    ],
    ['par belongs to draft -00, and pred to draft -01. [claim par]', { par: [] }],
    ['pol belongs to draft -00, and ect_ext to draft -01. [claim pol]', { pred: undefined, pol: 'p', ect_ext: {} }],
    ['par belongs to draft -00, and the token is one of draft -01. [claim par]', { ...older, typ: 'exec+jwt' }],
    ['The token has no par. [claim par]', { ...older, par: undefined, ext: {} }],
    ['par must be a list of strings.', { ...older, par: 'x' }],
    ['ext must be an object. [claim ext]', { ...older, ext: 'x' }],
    ['sub must be the same as iss. [claim sub]', { ...older, sub: 'urn:x' }],
    [
      'pol must stand at the top level in draft -00, and there only. [claim pol]',
      { ...older, ext: { pol: 'p', pol_decision: 'approved' } },
    ],
    ['aud does not name the verifier.', { aud: 'urn:x' }],
    ['The token has expired.', { iat: NOW - 2, exp: NOW - 1 }],
    ['iat is more than 30 s ahead.', { iat: NOW + 31 }],
    ['iat is more than 900 s ago.', { iat: NOW - 901 }],
  ])('%s', (sentence, changes) => {
    const { typ, ...claims } = { typ: 'exec+jwt', ...changes } as { readonly typ: string };
    expect(sentenceOn(makeToken(claims, { typ }))).toBe(sentence);
  });

  test.each<[string, object, Circumstances]>([
    [
      'par belongs to draft -00, which is not accepted here. [claim par]',
      { pred: undefined, par: [] },
      { policy: { drafts: ['01'] } },
    ],
    ['pred belongs to draft -01, which is not accepted here. [claim pred]', {}, { policy: { drafts: ['00'] } }],
    ['jti must be 1 to 256 printable ASCII characters. [claim jti]', { jti: '' }, { policy: { ids: 'text' } }],
    ['Each entry of pred must be 1 to 256 printable ASCII characters.', { pred: ['é'] }, { policy: { ids: 'text' } }],
    ['The token has no inp_hash: it binds no input.', {}, { question: { input: Buffer.from('x') } }],
    ['The token has no out_hash: it binds no output.', {}, { question: { outputHash: 'x' } }],
    [
      'The input is not the one that the token was issued for.',
      { inp_hash: BOUND },
      { question: { input: Buffer.from('x') } },
    ],
    [
      'The output is not the one that the token was issued for.',
      { out_hash: BOUND },
      { question: { outputHash: 'x' } },
    ],
  ])('%s', (sentence, claims, circumstances) => {
    expect(sentenceOn(makeToken(claims, { typ: 'wimse-exec+jwt' }), circumstances)).toBe(sentence);
  });
});

describe('ids without UUIDs', () => {
  const text = { policy: { ids: 'text' } } as const;
  test.each(['a', ' ', '~', 'task 7', '"\\', 'x'.repeat(256), JTI])('%j is an id', (id) => {
    expect(sentenceOn(makeToken({ jti: id, wid: id, pred: [`${id.slice(1)}!`] }), text)).toBe('VALID');
  });

  test.each(['', 'x'.repeat(257), 'é', 'a\n', '\t', '\u007f'])('%j is none', (id) => {
    expect(sentenceOn(makeToken({ jti: id }), text)).toMatch(/^jti must be/);
    expect(sentenceOn(makeToken({ pred: [id] }), text)).toMatch(/^Each entry of pred/);
    if (id !== '') expect(sentenceOn(makeToken({ wid: id }), text)).toMatch(/^wid must be/);
  });

  test('the other rules of ids hold', () => {
    expect(sentenceOn(makeToken({ jti: 'a', pred: ['a'] }), text)).toBe('pred names the task itself.');
    expect(sentenceOn(makeToken({ jti: 'a', pred: ['b', 'b'] }), text)).toBe('pred names a task twice.');
  });
});

test('a claim that nobody asked for is not looked at: a body that is compared needs its claim', () => {
  const bound = makeToken({ inp_hash: 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg' });
  expect(sentenceOn(bound, { question: { inputHash: 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg' } })).toBe('VALID');
  expect(sentenceOn(bound, { question: { input: Buffer.from('test'), inputHash: 'x' } })).toBe('VALID');
  expect(sentenceOn(bound, { question: { outputHash: '' } })).toBe('VALID');
  expect(sentenceOn(makeToken(), { question: { inputHash: 'x' } })).toMatch(/^The token has no inp_hash/);
});

test('T7: a kid of 256 characters names a key, and an iss that is no text names none', () => {
  const kid = 'k'.repeat(256);
  expect(sentenceOn(makeToken({}, { kid }), ring({ kid }))).toBe('VALID');
  const asked: unknown[] = [];
  const any = ring({ speaksFor: (iss: unknown) => asked.push(iss) > 0 });
  const odd = signParts({ ...header, kid: KID }, { ...payload, iss: 7 });
  expect(sentenceOn(odd, any)).toBe('iss must be a string. [claim iss]');
  expect(asked).toEqual(['']);
});
