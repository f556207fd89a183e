import { expect, test } from 'vitest';
import { peekLinks } from '../../src/token/index.ts';
import { encode, header, JTI, makeToken, OTHER_JTI, payload } from '../support/tokens.ts';

const links = { jti: JTI, pred: [OTHER_JTI], exec_act: 'review_spec' };
const nothing = { jti: '', pred: [], exec_act: '' };

test('the links of a token of either draft, signed or not, are read without a look at anything else', () => {
  expect(peekLinks(makeToken({ pred: [OTHER_JTI] }))).toEqual(links);
  expect(peekLinks(makeToken({ pred: undefined, par: [OTHER_JTI] }))).toEqual(links);
  expect(peekLinks(`${encode(header)}.${encode({ ...payload, pred: [OTHER_JTI] })}.`)).toEqual(links);
  const unsigned = { jti: JTI, pred: [OTHER_JTI], exec_act: 'review_spec' };
  expect(peekLinks(JSON.stringify(unsigned))).toEqual(links);
  expect(peekLinks(encode(unsigned))).toEqual(links);
});

test.each(['', 'x', 'a.b.c', '[]', '{"jti":1,"pred":{},"exec_act":null}'])('of %j nothing is read', (text) => {
  expect(peekLinks(text)).toEqual(nothing);
});

test('T16: entries that are no texts are left out, and more than 100 are not waited for', () => {
  expect(peekLinks(makeToken({ pred: [1, OTHER_JTI, null] })).pred).toEqual([OTHER_JTI]);
  const ids = Array.from({ length: 101 }, () => OTHER_JTI);
  expect(peekLinks(makeToken({ pred: ids.slice(1) })).pred).toHaveLength(100);
  expect(peekLinks(makeToken({ pred: ids })).pred).toEqual([]);
});
