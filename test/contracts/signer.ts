// What every Signer must keep of its promises, wherever its private key is.

import { createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto';
import { calculateJwkThumbprint, compactVerify, importJWK } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EctError, reject } from '../../src/errors.ts';
import type { OpenSigner } from '../../src/keys/index.ts';
import { rounds } from '../support/full.ts';

/** A signer with a key of its own. */
export interface SignerFixture {
  readonly signer: OpenSigner;
  dispose(): Promise<void>;
}

/** Half of all signatures would have a high s if it was not lowered. */
const SIGNATURES = rounds(500, 100);
const HALF_ORDER = Buffer.from('7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8', 'hex');

export function signerContract(name: string, makeFixture: () => Promise<SignerFixture>): void {
  describe(`${name} keeps the promises of Signer`, () => {
    let fixture: SignerFixture;
    let signer: OpenSigner;
    let publicKey: KeyObject;
    const until = { signal: new AbortController().signal };

    beforeEach(async () => {
      fixture = await makeFixture();
      signer = fixture.signer;
      publicKey = createPublicKey({ key: { ...signer.jwk }, format: 'jwk' });
    });
    afterEach(() => fixture.dispose());

    function holds(input: Uint8Array, signature: Uint8Array): boolean {
      return verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
    }

    test('what it publishes is an ES256 key with its RFC 7638 thumbprint as kid, and no private member', async () => {
      const { jwk } = signer;
      expect(Object.keys(jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
      expect(jwk).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
      expect(jwk.kid).toBe(await calculateJwkThumbprint({ ...jwk }, 'sha256'));
    });

    test('the key that it verifies with is the one that it publishes, and it is ready', () => {
      expect(signer.publicKey.equals(publicKey)).toBe(true);
      expect(signer.isReady()).toBe(true);
    });

    test('a JWS under its signature verifies with jose and the published key', async () => {
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: signer.jwk.kid })).toString('base64url');
      const input = `${header}.${Buffer.from('any payload').toString('base64url')}`;
      const signature = Buffer.from(await signer.sign(Buffer.from(input), until)).toString('base64url');
      const { payload } = await compactVerify(`${input}.${signature}`, await importJWK({ ...signer.jwk }));
      expect(Buffer.from(payload).toString()).toBe('any payload');
    });

    test(`T9: ${SIGNATURES} signatures are 64 bytes each, verify, and have a low s`, async () => {
      for (let at = 0; at < SIGNATURES; at++) {
        const input = Buffer.from(`input ${at}`);
        const signature = await signer.sign(input, until);
        expect(signature).toHaveLength(64);
        expect(holds(input, signature), `signature ${at}`).toBe(true);
        expect(Buffer.compare(signature.subarray(32), HALF_ORDER)).toBeLessThanOrEqual(0);
      }
    });

    test.each([0, 1, 4096, 4097, 1 << 20])('it signs an input of %d bytes', async (length) => {
      const input = randomBytes(length);
      expect(holds(input, await signer.sign(input, until))).toBe(true);
    });

    test('a signature is over the whole input', async () => {
      const input = randomBytes(5000);
      const signature = await signer.sign(input, until);
      for (const at of [0, 4095, 4096, 4999]) {
        const other = Buffer.from(input);
        other[at]! ^= 1;
        expect(holds(other, signature), `byte ${at}`).toBe(false);
      }
    });

    test('it leaves the input as it is', async () => {
      const input = Buffer.from('input');
      await signer.sign(input, until);
      expect(input.toString()).toBe('input');
    });

    test('of 100 overlapping calls each is answered with the signature of its own input', async () => {
      const inputs = Array.from({ length: 100 }, (_, at) => Buffer.from(`input ${at}`));
      const signatures = await Promise.all(inputs.map(async (input) => signer.sign(input, until)));
      for (const [at, input] of inputs.entries()) {
        expect(holds(input, signatures[at]!)).toBe(true);
        expect(holds(input, signatures[(at + 1) % inputs.length]!)).toBe(false);
      }
    });

    test.each([
      ['DEADLINE_EXCEEDED', new EctError(reject('DEADLINE_EXCEEDED', 'too late'))],
      ['CALL_CANCELLED', new EctError(reject('CALL_CANCELLED', 'gone'))],
      ['DEADLINE_EXCEEDED', new DOMException('too late', 'TimeoutError')],
      ['CALL_CANCELLED', new DOMException('gone', 'AbortError')],
    ])('when nobody waits any more it rejects with %s, unless it has answered already', async (reason, cause) => {
      const controller = new AbortController();
      const input = Buffer.from('input');
      const sign = async () => signer.sign(input, controller);
      const before = sign();
      controller.abort(cause);
      for (const outcome of await Promise.allSettled([before, sign()])) {
        if (outcome.status === 'fulfilled') expect(holds(input, outcome.value)).toBe(true);
        else expect(outcome.reason).toMatchObject({ name: 'EctError', reason });
      }
      expect(holds(input, await signer.sign(input, until))).toBe(true);
    });

    test('closing it twice is closing it', () => {
      signer.close();
      signer.close();
    });
  });
}
