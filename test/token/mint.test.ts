import { createHash, generateKeyPairSync } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { KeyRing, type Signer } from '../../src/keys/index.ts';
import { LocalSigner } from '../../src/signers/local/index.ts';
import { type Claims, digestOfToken, mintUnsigned, policyIn, verifyToken } from '../../src/token/index.ts';
import { claims, mintToken } from '../support/mint.ts';
import { AUD, ISS, JTI, NOW, OTHER_JTI, policy, WID } from '../support/tokens.ts';

const until = { signal: new AbortController().signal };
const HASH = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';

let signer: LocalSigner;
beforeAll(async () => {
  signer = await LocalSigner.open(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
});

async function payloadOf(overrides: Partial<Claims>, extText?: string): Promise<string> {
  const text = await mintToken({ ...claims, ...overrides }, extText, signer, 16_384, until);
  return Buffer.from(text.split('.')[1]!, 'base64url').toString();
}

describe('a token that was made', () => {
  test('verifies with jose under the published key', async () => {
    const text = await mintToken(claims, undefined, signer, 16_384, until);
    const { protectedHeader } = await compactVerify(text, await importJWK({ ...signer.jwk }));
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'exec+jwt', kid: signer.jwk.kid });
  });

  test('is identified by the SHA-256 of its signing input', async () => {
    const text = await mintToken(claims, undefined, signer, 16_384, until);
    const input = text.slice(0, text.lastIndexOf('.'));
    expect(digestOfToken(text)).toEqual(createHash('sha256').update(input).digest());
  });

  test('leaves out optional claims that are empty, and never pred', async () => {
    expect(await payloadOf({})).toBe(
      `{"iss":"${ISS}","aud":["${AUD}"],"iat":${NOW},"exp":${NOW + 600},"jti":"${JTI}","exec_act":"review_spec","pred":[]}`,
    );
  });

  test('has every claim that is given', async () => {
    const pred = [OTHER_JTI] as unknown as Claims['pred'];
    const given = { wid: WID, pred, inp_hash: HASH, out_hash: HASH, ect_ext: { a: 1 } };
    expect(JSON.parse(await payloadOf(given, '{"a":1}'))).toEqual({ ...claims, ...given });
  });

  test('has the extension byte for byte as its text was', async () => {
    const text = '{ "big" : 12345678901234567890.10, "\\u0061" : [ ] }';
    const payload = await payloadOf({ ect_ext: JSON.parse(text) }, text);
    expect(payload.endsWith(`,"ect_ext":${text}}`)).toBe(true);
  });

  test('leaves the claims as they were', async () => {
    const given = Object.freeze({ ...claims, aud: Object.freeze([AUD]) });
    await mintToken(given, undefined, signer, 16_384, until);
    expect(given).toEqual(claims);
  });

  test('names the key of its own signer, though headers are kept', async () => {
    const other = await LocalSigner.open(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    for (const mintedBy of [signer, other, signer]) {
      const text = await mintToken(claims, undefined, mintedBy, 16_384, until);
      expect(decodeProtectedHeader(text).kid).toBe(mintedBy.jwk.kid);
    }
  });
});

describe('T15: the longest token', () => {
  test('may be as long as the limit and not one character longer; what is too long is never signed', async () => {
    const { length } = await mintToken(claims, undefined, signer, 16_384, until);
    expect(await mintToken(claims, undefined, signer, length, until)).toHaveLength(length);
    let asked = 0;
    const counting: Signer = {
      jwk: signer.jwk,
      sign: (input) => {
        asked++;
        return signer.sign(input);
      },
    };
    await expect(mintToken(claims, undefined, counting, length - 1, until)).rejects.toMatchObject({
      reason: 'TOKEN_TOO_LARGE',
      message: 'The token would be too long.',
      metadata: { limit_bytes: String(length - 1) },
    });
    expect(asked).toBe(0);
  });
});

test('the signal of the call reaches the signer, and its failure is the failure of the call', async () => {
  const controller = new AbortController();
  const aborting: Signer = {
    jwk: signer.jwk,
    sign: async (_, given) => {
      expect(given.signal).toBe(controller.signal);
      throw new RangeError('from the signer');
    },
  };
  await expect(mintToken(claims, undefined, aborting, 16_384, controller)).rejects.toThrow('from the signer');
});

describe('a token of draft -00', () => {
  const older = { typ: 'wimse-exec+jwt' };
  async function mintOlder(overrides: Partial<Claims>, extText?: string): Promise<string> {
    return mintToken({ ...claims, ...overrides }, extText, signer, 16_384, until, '00');
  }
  async function olderPayload(overrides: Partial<Claims>, extText?: string): Promise<string> {
    return Buffer.from((await mintOlder(overrides, extText)).split('.')[1]!, 'base64url').toString();
  }

  test('bears its type, though the header of -01 is kept too', async () => {
    for (const draft of ['00', '01', '00'] as const) {
      const text = await mintToken(claims, undefined, signer, 16_384, until, draft);
      const typ = draft === '00' ? older.typ : 'exec+jwt';
      expect(decodeProtectedHeader(text)).toEqual({ alg: 'ES256', typ, kid: signer.jwk.kid });
    }
  });

  test('has its names, and the name of the hash before each hash', async () => {
    const pred = [OTHER_JTI] as unknown as Claims['pred'];
    expect(await olderPayload({ wid: WID, pred, inp_hash: HASH, out_hash: HASH }, '{"a":1}')).toBe(
      `{"iss":"${ISS}","aud":["${AUD}"],"iat":${NOW},"exp":${NOW + 600},"jti":"${JTI}","wid":"${WID}",` +
        `"exec_act":"review_spec","par":["${OTHER_JTI}"],"inp_hash":"sha-256:${HASH}","out_hash":"sha-256:${HASH}","ext":{"a":1}}`,
    );
    expect(await olderPayload({})).toMatch(/"par":\[\]\}$/);
  });

  test.each([
    ['{"pol":"p","pol_decision":"approved"}', '"pol":"p","pol_decision":"approved"'],
    [
      '{"pol":"p","pol_decision":"approved","pol_enforcer":"e"}',
      '"pol":"p","pol_decision":"approved","pol_enforcer":"e"',
    ],
    ['{"a":1,"pol":"p","b":2,"pol_decision":"rejected"}', '"ext":{"a":1,"b":2},"pol":"p","pol_decision":"rejected"'],
    ['{"pol_timestamp":1,"compensation_required":true}', '"ext":{"pol_timestamp":1,"compensation_required":true}'],
    ['{"pol_enforcer":"e","pol_timestamp":1}', '"ext":{"pol_timestamp":1},"pol_enforcer":"e"'],
    ['{}', '"ext":{}'],
    ['{ "a" : 1.0 }', '"ext":{ "a" : 1.0 }'],
    ['{"a":{"pol":"inner"}}', '"ext":{"a":{"pol":"inner"}}'],
    [
      '{"big":12345678901234567890.10,"pol":"p","pol_decision":"approved","deep":[1e3,{"n":-0.0}]}',
      '"ext":{"big":12345678901234567890.10,"deep":[1e3,{"n":-0.0}]},"pol":"p","pol_decision":"approved"',
    ],
    ['{"__proto__":{"a":1},"pol_enforcer":"\\u0065"}', '"ext":{"__proto__":{"a":1}},"pol_enforcer":"e"'],
  ])('has the policy beside the extension %s', async (extText, expected) => {
    expect((await olderPayload({}, extText)).split('"par":[],')[1]).toBe(`${expected}}`);
  });

  test('is verified, and says the same as one of -01', async () => {
    const ect_ext = { a: 1, pol: 'p', pol_decision: 'rejected', pol_enforcer: 'e', pol_timestamp: 7 };
    const given = { inp_hash: HASH, ect_ext, policy: policyIn(ect_ext) as Claims['policy'] };
    const ring = new KeyRing([{ kid: signer.jwk.kid, publicKey: signer.publicKey, speaksFor: () => true }]);
    const verdict = (text: string) => verifyToken(text, { now: NOW, purpose: 'presented' }, policy, ring);
    const newer = verdict(await mintToken({ ...claims, ...given }, JSON.stringify(ect_ext), signer, 16_384, until));
    const old = verdict(await mintOlder(given, JSON.stringify(ect_ext)));
    expect(newer).toMatchObject({ ok: true, token: { draft: '01', claims: { ...claims, ...given } } });
    const lifted = { ...claims, ...given, ect_ext: { a: 1, pol_timestamp: 7 } };
    expect(old).toMatchObject({ ok: true, token: { draft: '00', claims: lifted } });
  });
});

describe('an unsigned object', () => {
  test('is the payload of -01 as compact JSON', () => {
    expect(mintUnsigned({ ...claims, iss: 'urn:a' }, '{"a":1}', 16_384)).toBe(
      `{"iss":"urn:a","aud":["${AUD}"],"iat":${NOW},"exp":${NOW + 600},"jti":"${JTI}","exec_act":"review_spec","pred":[],"ect_ext":{"a":1}}`,
    );
  });

  test('is its base64url where the JSON has two dots, as a signed token has', () => {
    const text = mintUnsigned(claims, undefined, 16_384);
    expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(JSON.parse(Buffer.from(text, 'base64url').toString())).toMatchObject({ iss: ISS, aud: [AUD] });
  });

  test('is verified at its level, whatever its dots', () => {
    const l1 = { ...policy, minimumLevel: 'L1' } as const;
    for (const iss of ['urn:a', 'urn:a.b', 'urn:a.b.c', 'urn:a.b.c.d']) {
      const text = mintUnsigned({ ...claims, iss, aud: ['urn:é"\\'] }, undefined, 16_384);
      const verdict = verifyToken(text, { now: NOW, purpose: 'presented' }, l1, new KeyRing([]));
      expect(verdict).toMatchObject({
        ok: true,
        token: { level: 'L1', claims: { ...claims, iss, aud: ['urn:é"\\'] } },
      });
    }
  });

  test('T15: may be as many bytes as the limit and not one more', () => {
    const long = { ...claims, iss: 'urn:a', exec_act: 'é'.repeat(100) };
    const bytes = Buffer.byteLength(mintUnsigned(long, undefined, 16_384));
    expect(mintUnsigned(long, undefined, bytes)).toContain('é');
    expect(() => mintUnsigned(long, undefined, bytes - 1)).toThrow(
      expect.objectContaining({ reason: 'TOKEN_TOO_LARGE' }),
    );
  });
});

test('ids that are no UUIDs are escaped as JSON', async () => {
  const jti = '"\\,"x":' as Claims['jti'];
  const pred = ['a"b'] as unknown as Claims['pred'];
  expect(JSON.parse(await payloadOf({ jti, wid: 'a\\"', pred }))).toMatchObject({ jti, wid: 'a\\"', pred });
});
