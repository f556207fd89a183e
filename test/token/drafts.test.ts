import { describe, expect, test } from 'vitest';
import { AUD, ISS, JTI, makeToken, NOW, OTHER_JTI, WID } from '../support/tokens.ts';
import { faultIn, judge, reasonFor } from './judge.ts';

const OLDER = { typ: 'wimse-exec+jwt' };
const SHA_256 = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
const SHA_384 = 'sha-384:OLBgp1GsljhM2TJ-sbHjaiH9txEUvgdDTAzHv2P24donTt6_529l-9Ua0vFImLlb';
const SHA_512 = 'sha-512:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg_SpIdNs6c5H0NE8XYXysP-DGNKHfuwvY7kxvUdBeoGlODJ6-SfaPg';

/** A token in the names of -00. */
function older(claims: object = {}, members: object = OLDER): string {
  return makeToken({ pred: undefined, par: [], ...claims }, members);
}

describe('draft -00 is read', () => {
  test('into the claims of -01', () => {
    const ext = { 'com.example.cost': 1 };
    const verdict = judge(older({ sub: ISS, wid: WID, par: [OTHER_JTI], inp_hash: `sha-256:${SHA_256}`, ext }));
    expect(verdict).toMatchObject({
      ok: true,
      token: {
        draft: '00',
        level: 'L2',
        claims: { iss: ISS, aud: [AUD], jti: JTI, wid: WID, pred: [OTHER_JTI], inp_hash: SHA_256, ect_ext: ext },
      },
    });
  });

  test('with its policy claims, which stand at the top level', () => {
    const given = {
      pol: 'policy_v1',
      pol_decision: 'rejected',
      pol_enforcer: 'spiffe://example.com/policy',
      pol_timestamp: NOW,
      compensation_required: true,
      compensation_reason: 'overdrawn',
    };
    const policy = {
      pol: 'policy_v1',
      decision: 'rejected',
      enforcer: 'spiffe://example.com/policy',
      timestamp: NOW,
      compensation: true,
      compensationReason: 'overdrawn',
    };
    expect(judge(older(given))).toMatchObject({ ok: true, token: { claims: { policy, ect_ext: undefined } } });
    expect(judge(makeToken({ ect_ext: given }))).toMatchObject({ ok: true, token: { claims: { policy } } });
  });

  test('with a hash under each of its names, and without one', () => {
    for (const inp_hash of [SHA_256, `sha-256:${SHA_256}`, SHA_384, SHA_512]) {
      expect(reasonFor(older({ inp_hash, out_hash: inp_hash })), inp_hash).toBe('VALID');
    }
  });

  test('and its hashes bind the octets under their own name', () => {
    const input = Buffer.alloc(0);
    const bound = (inp_hash: string, octets: Uint8Array) =>
      reasonFor(older({ inp_hash }), { question: { input: octets } });
    const empty = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU';
    for (const hash of [empty, `sha-256:${empty}`, SHA_384, SHA_512]) {
      expect(bound(hash, input), hash).toBe('VALID');
      expect(bound(hash, Buffer.from('x')), hash).toBe('INPUT_HASH_MISMATCH');
    }
    expect(reasonFor(older({ out_hash: SHA_512 }), { question: { output: input } })).toBe('VALID');
    expect(reasonFor(older({ out_hash: SHA_384 }), { question: { output: Buffer.from('x') } })).toBe(
      'OUTPUT_HASH_MISMATCH',
    );
  });

  test('with the claims of compensation and the time of the decision inside ext as well', () => {
    const ext = { pol_timestamp: NOW, compensation_required: true, compensation_reason: 'x' };
    expect(judge(older({ ext }))).toMatchObject({
      token: { claims: { policy: { timestamp: NOW, compensation: true } } },
    });
  });
});

describe('draft -00 has rules of its own', () => {
  test.each([
    ['no par', { par: undefined }, 'CLAIM_MISSING pred'],
    ['par that is no list', { par: 'x' }, 'PRED_INVALID'],
    ['par that names the task itself', { par: [JTI] }, 'PRED_INVALID'],
    ['ext that is no object', { ext: [] }, 'CLAIM_INVALID ext'],
    ['ext that is null', { ext: null }, 'CLAIM_INVALID ext'],
    ['a sub other than iss', { sub: AUD }, 'CLAIM_INVALID sub'],
    ['a sub that is null', { sub: null }, 'CLAIM_INVALID sub'],
    ['a hash under an unknown name', { inp_hash: `sha-1:${SHA_256}` }, 'CLAIM_INVALID inp_hash'],
    ['a hash that is shorter than its name says', { inp_hash: `sha-384:${SHA_256}` }, 'CLAIM_INVALID inp_hash'],
    ['a hash that is longer than its name says', { out_hash: `sha-256:${SHA_384.slice(8)}` }, 'CLAIM_INVALID out_hash'],
    ['a long hash without its name', { out_hash: SHA_512.slice(8) }, 'CLAIM_INVALID out_hash'],
    ['a name without a hash', { out_hash: 'sha-256:' }, 'CLAIM_INVALID out_hash'],
    ['something before the name', { out_hash: `xsha-256:${SHA_256}` }, 'CLAIM_INVALID out_hash'],
    ['another name before the name', { out_hash: `sha-384:sha-256:${SHA_256}` }, 'CLAIM_INVALID out_hash'],
    ['something before a longer name', { out_hash: `x${SHA_384}` }, 'CLAIM_INVALID out_hash'],
    ['a name twice', { out_hash: `sha-256:sha-256:${SHA_256}` }, 'CLAIM_INVALID out_hash'],
    ['a padded long hash', { out_hash: `${SHA_512}==` }, 'CLAIM_INVALID out_hash'],
    ['a line feed after a long hash', { out_hash: `${SHA_384}\n` }, 'CLAIM_INVALID out_hash'],
    ['pol inside ext', { ext: { pol: 'p', pol_decision: 'approved' } }, 'CLAIM_INVALID pol'],
    ['pol_enforcer inside ext', { ext: { pol_enforcer: 'p' } }, 'CLAIM_INVALID pol_enforcer'],
    ['one claim in both places', { pol_timestamp: 1, ext: { pol_timestamp: 1 } }, 'CLAIM_INVALID pol_timestamp'],
    ['an ext that is too large', { ext: { a: 'x'.repeat(4096) } }, 'EXT_TOO_LARGE'],
  ])('a token with %s: %s', (_, claims, fault) => {
    expect(faultIn(older(claims))).toBe(fault);
  });
});

describe('draft -01 does not have them', () => {
  test('sub is a claim like any other that nobody knows', () => {
    expect(reasonFor(makeToken({ sub: AUD }))).toBe('VALID');
  });

  test.each([SHA_384, SHA_512, `sha-256:${SHA_256}`])('T24: the hash %s is rejected', (inp_hash) => {
    expect(faultIn(makeToken({ inp_hash }))).toBe('CLAIM_INVALID inp_hash');
    expect(faultIn(makeToken({ inp_hash }, OLDER))).toBe('CLAIM_INVALID inp_hash');
  });
});

describe('a token in the spellings of both drafts is rejected, and the claim of -00 is named', () => {
  test.each([
    ['par', { par: [] }],
    ['par', { par: null }],
    ['ext', { ext: {} }],
    ['pol', { pol: 'p', pol_decision: 'approved' }],
    ['pol_decision', { pol_decision: 'approved' }],
    ['pol_enforcer', { pol_enforcer: 'x' }],
    ['pol_timestamp', { pol_timestamp: 1 }],
    ['compensation_required', { compensation_required: true }],
    ['compensation_reason', { compensation_reason: 'x' }],
  ])('%s beside pred: %j', (claim, claims) => {
    for (const members of [{}, OLDER]) expect(faultIn(makeToken(claims, members))).toBe(`CLAIM_INVALID ${claim}`);
  });

  test('ect_ext beside par', () => {
    expect(faultIn(older({ ect_ext: {} }))).toBe('CLAIM_INVALID par');
    expect(faultIn(older({ ect_ext: null }))).toBe('CLAIM_INVALID par');
  });

  test('the names of -00 under the type of -01', () => {
    expect(faultIn(older({}, {}))).toBe('CLAIM_INVALID par');
  });

  test('the policy of -00 alone does not say which draft is meant: predecessors are still required', () => {
    expect(faultIn(makeToken({ pred: undefined, pol: 'p', pol_decision: 'approved' }, OLDER))).toBe(
      'CLAIM_MISSING par',
    );
  });
});

describe('each draft can be switched off', () => {
  const only = (...drafts: readonly ('00' | '01')[]) => ({ policy: { drafts } });

  test('without -00 its names are rejected, and the older type is still one of -01', () => {
    expect(faultIn(older(), only('01'))).toBe('CLAIM_INVALID par');
    expect(reasonFor(makeToken({}, OLDER), only('01'))).toBe('VALID');
    expect(reasonFor(makeToken(), only('01'))).toBe('VALID');
  });

  test('without -01 its type and its names are rejected', () => {
    expect(reasonFor(makeToken(), only('00'))).toBe('TYP_INVALID');
    expect(faultIn(makeToken({}, OLDER), only('00'))).toBe('CLAIM_INVALID pred');
    expect(reasonFor(older(), only('00'))).toBe('VALID');
    expect(faultIn(older({ par: undefined }), only('00'))).toBe('CLAIM_MISSING par');
  });

  test('the rejection says which types are read', () => {
    const messageOf = (...drafts: readonly ('00' | '01')[]) => {
      const verdict = judge(makeToken({}, { typ: 'JWT' }), only(...drafts));
      return verdict.ok ? '' : verdict.rejection.message;
    };
    expect(messageOf('00')).toBe("The header's typ must be wimse-exec+jwt.");
    expect(messageOf('00', '01')).toBe("The header's typ must be exec+jwt or wimse-exec+jwt.");
  });
});

describe('the draft is known of a token that was verified', () => {
  test.each([
    ['01', makeToken()],
    ['01', makeToken({}, OLDER)],
    ['00', older()],
  ])('-%s', (draft, token) => {
    expect(judge(token)).toMatchObject({ ok: true, token: { draft } });
  });
});
