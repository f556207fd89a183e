import { expect, test } from 'vitest';
import type { OpenSigner } from '../../src/keys/index.ts';
import { KmsKeyError } from '../../src/signers/aws-kms/index.ts';
import { forCallers, idleTiming, openOrAwait } from '../../src/startup/kms-key.ts';
import { makeLocalSigner } from '../support/key-manager.ts';

const fails = (atStart: 'wait' | 'wait-if-known' | 'fail') => () =>
  Promise.reject(new KmsKeyError('it cannot be used', { atStart, brief: 'it is disabled: enable it' }));

test('D9 a start goes on where something other than new settings corrects the key, and is rejected otherwise', async () => {
  await expect(openOrAwait('kms:k', fails('fail'))).rejects.toThrow('it cannot be used');
  await expect(openOrAwait('kms:k', () => Promise.reject(new TypeError('a bug')))).rejects.toThrow(TypeError);
  expect(await openOrAwait('kms:k', fails('wait'))).toMatchObject({ locator: 'kms:k', startError: undefined });
  expect(await openOrAwait('kms:k', fails('wait-if-known'))).toMatchObject({ startError: expect.any(KmsKeyError) });
  const signer = await makeLocalSigner();
  expect(await openOrAwait('kms:k', async () => signer)).toEqual({ locator: 'kms:k', signer });
});

test('D9 a start does not wait for a key that does not open, and the attempt goes on', async () => {
  const { promise, resolve } = Promise.withResolvers<OpenSigner>();
  // It returns although the key has not opened.
  const awaited = await openOrAwait('kms:k', () => promise, 50);
  const signer = await makeLocalSigner();
  resolve(signer);
  expect('attempt' in awaited && (await awaited.attempt)).toBe(signer);
});

test('D9 callers learn what is wrong and what to do, without the details for the operator', async () => {
  await expect(forCallers(fails('wait')())).rejects.toMatchObject({
    reason: 'SIGNER_MISCONFIGURED',
    message: 'The signing key cannot be opened in AWS KMS (it is disabled: enable it).',
    cause: expect.any(KmsKeyError),
  });
});

test('a key in KMS that signs tokens is tried as the signer likes; one that certifies keys, four times in the life of such a key', () => {
  expect(idleTiming({ signing: 'direct', delegatedHours: 1 })).toEqual({});
  expect(idleTiming({ signing: 'two-tier', delegatedHours: 1 })).toEqual({ idleMs: 15 * 60_000 });
  expect(idleTiming({ signing: 'two-tier', delegatedHours: 24 })).toEqual({ idleMs: 6 * 3_600_000 });
});
