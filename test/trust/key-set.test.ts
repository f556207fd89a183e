import { describe, expect, test } from 'vitest';
import { readKeySet } from '../../src/trust/key-set.ts';
import { issuerKey, rsaIssuerKey } from '../support/jwks.ts';

const [a, b] = [issuerKey('a'), issuerKey('b')];

function read(value: unknown, isBundle = false) {
  return readKeySet(
    Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    isBundle,
  );
}

function taken(keys: readonly unknown[], isBundle = false) {
  const content = read({ keys }, isBundle);
  return { kids: content.keys.map(({ kid }) => kid), problems: content.problems };
}

describe('K4: a bad key is rejected and reported, and the others still work', () => {
  test.each<[string, unknown, RegExp]>([
    ['for encryption', { ...b.jwk, use: 'enc' }, /use must be sig/],
    ['without verify among its operations', { ...b.jwk, key_ops: ['sign'] }, /key_ops must be verify/],
    ['symmetric', { kty: 'oct', kid: 'b', k: 'c2VjcmV0' }, /private member k/],
    ['private', { ...b.jwk, d: 'AQAB' }, /private member d/],
    ['off its curve', { ...b.jwk, y: a.jwk['y'] }, /no public key/],
    ['on another curve', { ...b.jwk, crv: 'secp256k1' }, /must be of kty/],
    ['for another algorithm', { ...b.jwk, alg: 'ES384' }, /alg must be ES256/],
    ['for HS256', { ...b.jwk, alg: 'HS256' }, /alg must be/],
    ['without a kid', { ...b.jwk, kid: undefined }, /kid must be/],
    ['that is no object', 7, /must be an object/],
    ['that is a list', [], /must be an object/],
    ['that is null', null, /must be an object/],
  ])('one %s', (_, key, problem) => {
    const { kids, problems } = taken([a.jwk, key]);
    expect(kids).toEqual(['a']);
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(problems[0]).toMatch(/^keys\[1\]: /);
  });

  test('of two keys of one name neither is taken', () => {
    const twin = issuerKey('a');
    const { kids, problems } = taken([a.jwk, b.jwk, twin.jwk]);
    expect(kids).toEqual(['b']);
    expect(problems).toEqual(['keys[0]: its kid is there twice', 'keys[2]: its kid is there twice']);
    expect(taken([b.jwk, a.jwk, { ...twin.jwk, use: 'enc' }]).kids).toEqual(['b']);
  });

  test('a weak RSA key, and what an RSA key is for', () => {
    const rsa = rsaIssuerKey('r');
    const weak = { ...rsa.jwk, n: 'AQAB', kid: 'w' };
    expect(taken([rsa.jwk, weak])).toEqual({
      kids: ['r'],
      problems: [expect.stringMatching(/no public key|too weak/)],
    });
    expect(read({ keys: [rsa.jwk] }).keys[0]?.algorithms).toEqual(['RS256']);
    expect(read({ keys: [{ ...rsa.jwk, alg: undefined }] }).keys[0]?.algorithms).toEqual(['PS256', 'RS256']);
    expect(read({ keys: [{ ...rsa.jwk, alg: 'PS256' }] }).keys[0]?.algorithms).toEqual(['PS256']);
  });
});

describe('a bundle of a trust domain', () => {
  const svid = { ...a.jwk, use: 'jwt-svid' };

  test("gives its keys for JWT-SVIDs; those for certificates are nobody's mistake", () => {
    const x509 = { kty: 'EC', use: 'x509-svid', x5c: ['MIIB'] };
    expect(taken([svid, x509, x509], true)).toEqual({ kids: ['a'], problems: [] });
    expect(taken([b.jwk, svid, { ...issuerKey('c').jwk, use: 'new' }], true)).toEqual({
      kids: ['b', 'a'],
      problems: ['keys[2]: use must be sig'],
    });
  });

  test('is not what another issuer publishes', () => {
    expect(taken([b.jwk, svid])).toEqual({ kids: ['b'], problems: ['keys[1]: use must be sig'] });
  });
});

describe('K3: a set that cannot be used', () => {
  test.each<[string, unknown, RegExp]>([
    ['no JSON', '<html>', /not strict JSON/],
    ['truncated', '{"keys":[{', /not strict JSON/],
    ['empty', '', /not strict JSON/],
    ['a member twice', '{"keys":[],"keys":[]}', /duplicate member/],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /not UTF-8/],
    ['no list', {}, /no list of keys/],
    ['a list of another kind', { keys: {} }, /no list of keys/],
    ['no keys', { keys: [] }, /no key that can be used/],
    ['no usable key', { keys: [{ ...a.jwk, use: 'enc' }] }, /no key that can be used; keys\[0\]: use must be sig/],
    ['10,000 keys', { keys: Array(10_000).fill(a.jwk) }, /more than 100 keys/],
    ['101 keys', { keys: Array(101).fill(a.jwk) }, /more than 100 keys/],
  ])('%s', (_, text, fault) => {
    expect(() => read(text)).toThrow(fault);
    expect(() => read(text)).toThrow(expect.objectContaining({ name: 'KeySetFault' }));
  });

  test('100 keys are read', () => {
    const keys = Array.from({ length: 100 }, (_, at) => ({ ...a.jwk, kid: `k${at}` }));
    expect(read({ keys }).keys).toHaveLength(100);
  });
});
