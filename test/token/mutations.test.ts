// Good tokens, changed in ways that an attacker without the key can change them: whatever comes out, the reason is known.

import { describe, expect, test } from 'vitest';
import { JTI, makeToken } from '../support/tokens.ts';
import { reasonFor } from './judge.ts';

const tokens = Array.from({ length: 100 }, (_, count) =>
  makeToken({ jti: `${JTI.slice(0, -3)}${String(100 + count)}`, exec_act: `step_${100 + count}` }),
);
const partsOf = (token: string) => token.split('.') as [string, string, string];

/** A number below `limit` that follows from `seed`: the same in every run. */
function pick(seed: number, limit: number): number {
  return (Math.imul(seed + 1, 2_654_435_761) >>> 0) % limit;
}

describe('T25: 100 good tokens', () => {
  test('are valid, each of them', () => {
    expect(new Set(tokens).size).toBe(100);
    for (const token of tokens) expect(reasonFor(token)).toBe('VALID');
  });

  test('cut anywhere are malformed', () => {
    for (const [seed, token] of tokens.entries()) {
      const [first, second] = partsOf(token);
      for (const length of [
        0,
        1,
        first.length,
        first.length + 1,
        first.length + 1 + second.length,
        pick(seed, token.length),
      ]) {
        const cut = token.slice(0, length);
        // Up to the first dot there is one part, which is an unsigned object where it is all of the header.
        const expected = length === first.length ? 'LEVEL_TOO_LOW' : 'TOKEN_MALFORMED';
        if (cut.split('.').length < 3) expect(reasonFor(cut), String(length)).toBe(expected);
      }
    }
  });

  test('cut inside the signature do not verify, or are not canonical', () => {
    for (const [seed, token] of tokens.entries()) {
      const start = token.lastIndexOf('.') + 1;
      const cut = token.slice(0, start + pick(seed, token.length - start));
      const signature = cut.slice(start);
      const canonical = Buffer.from(signature, 'base64url').toString('base64url') === signature;
      expect(reasonFor(cut)).toBe(canonical ? 'SIGNATURE_INVALID' : 'TOKEN_MALFORMED');
    }
  });

  test('with the payload or the signature of another do not verify', () => {
    for (const [at, token] of tokens.entries()) {
      const [first, second, third] = partsOf(token);
      const [, otherSecond, otherThird] = partsOf(tokens[(at + 1) % 100]!);
      expect(reasonFor(`${first}.${otherSecond}.${third}`)).toBe('SIGNATURE_INVALID');
      expect(reasonFor(`${first}.${second}.${otherThird}`)).toBe('SIGNATURE_INVALID');
      expect(reasonFor(`${first}.${otherSecond}.${otherThird}`)).toBe('VALID');
    }
  });

  test('with the parts in another order are malformed, or no tokens by their type', () => {
    for (const token of tokens) {
      const [first, second, third] = partsOf(token);
      expect(reasonFor(`${second}.${first}.${third}`)).toBe('TYP_INVALID');
      expect(reasonFor(`${first}.${third}.${second}`)).toBe('TOKEN_MALFORMED');
      expect(reasonFor(`${third}.${second}.${first}`)).toBe('TOKEN_MALFORMED');
      expect(reasonFor(`${first}.${first}.${third}`)).toBe('SIGNATURE_INVALID');
    }
  });

  test('spliced in the middle of a part never verify', () => {
    const reasons = new Set<string>();
    for (const [at, token] of tokens.entries()) {
      const other = tokens[(at + 37) % 100]!;
      for (const where of [pick(at, token.length), pick(at + 1000, token.length)]) {
        const spliced = token.slice(0, where) + other.slice(where);
        if (spliced === token || spliced === other) continue;
        reasons.add(reasonFor(spliced));
      }
    }
    expect([...reasons].toSorted()).toEqual(['SIGNATURE_INVALID']);
  });

  test('with one claim changed to another good value do not verify', () => {
    for (const token of tokens) {
      const [first, second, third] = partsOf(token);
      const claims = JSON.parse(Buffer.from(second, 'base64url').toString()) as object;
      for (const change of [{ exec_act: 'execute_trade' }, { exp: 1_772_000_601 }, { aud: [] }, { iss: 'urn:x' }]) {
        const changed = Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url');
        expect(reasonFor(`${first}.${changed}.${third}`)).toBe('SIGNATURE_INVALID');
      }
    }
  });

  test('with a character too many or too few in any part are malformed or do not verify', () => {
    for (const [seed, token] of tokens.entries()) {
      const at = pick(seed, token.length);
      for (const changed of [`${token.slice(0, at)}A${token.slice(at)}`, token.slice(0, at) + token.slice(at + 1)]) {
        expect(['TOKEN_MALFORMED', 'SIGNATURE_INVALID', 'TYP_INVALID', 'ALG_NOT_ALLOWED', 'KEY_UNKNOWN']).toContain(
          reasonFor(changed),
        );
      }
    }
  });
});
