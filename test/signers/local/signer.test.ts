import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { LocalSigner } from '../../../src/signers/local/index.ts';
import { signerContract } from '../../contracts/signer.ts';

function freshKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

signerContract('LocalSigner', async () => ({
  signer: await LocalSigner.open(freshKey()),
  dispose: async () => {},
}));

describe('opening', () => {
  test('the published key and the public key are those of the private one', async () => {
    const key = freshKey();
    const { publicKey, jwk } = await LocalSigner.open(key);
    expect(jwk).toMatchObject(publicKey.export({ format: 'jwk' }));
    expect(key.export({ format: 'jwk' })).toMatchObject({ x: jwk.x, y: jwk.y });
  });

  test('T28: a private key whose public half is of another key is rejected before it signs anything', async () => {
    const { d } = freshKey().export({ format: 'jwk' });
    const twisted = createPrivateKey({ key: { ...freshKey().export({ format: 'jwk' }), d: d! }, format: 'jwk' });
    await expect(LocalSigner.open(twisted)).rejects.toMatchObject({ reason: 'SIGNER_BAD_OUTPUT' });
  });

  test.each([
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey],
  ])('a key of %s is a mistake of ours: TypeError', async (_, key) => {
    await expect(LocalSigner.open(key)).rejects.toThrow(TypeError);
  });
});
