import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/token/index.ts';
import { isRejection, readClaims } from '../../src/token/read-claims.ts';
import { AUD, JTI, payload } from '../support/tokens.ts';

const claims = { ...payload, wid: '', inp_hash: '', out_hash: '', ect_ext: undefined, policy: undefined };

function read(members: JsonObject, oddNumbers: readonly string[]) {
  const result = readClaims(members, oddNumbers, 'exec+jwt', ['00', '01']);
  return isRejection(result) ? result : result.claims;
}

describe('types', () => {
  test('absent optional claims are empty, and the extension is undefined', () => {
    expect(read(payload, [])).toEqual(claims);
  });

  test('one audience as a string is a list of one', () => {
    expect(read({ ...payload, aud: AUD }, [])).toMatchObject({ aud: [AUD] });
  });

  test('T22: claims that only a prototype has are missing', () => {
    const result = read(JSON.parse(`{"__proto__":${JSON.stringify(payload)}}`), []);
    expect(result).toMatchObject({ reason: 'CLAIM_MISSING', metadata: { claim: 'iss' } });
  });

  test('T17: thousands of odd numbers elsewhere do not matter', () => {
    const odd = Array.from({ length: 5000 }, (_, at) => `n${at}`);
    expect(isRejection(read(payload, odd))).toBe(false);
    expect(read(payload, [...odd, 'iat'])).toMatchObject({ reason: 'CLAIM_INVALID', metadata: { claim: 'iat' } });
  });

  test.each([[JTI], [{ a: 1 }], [[[JTI]]], [[JTI, 1]], [true]])('T16: pred of type %j is rejected', (pred) => {
    expect(read({ ...payload, pred: pred as never }, [])).toMatchObject({ reason: 'PRED_INVALID' });
  });
});
