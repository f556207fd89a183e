// The start: which keys it takes, and what it says of the others.

import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import type { KeySpec, KeyState, KeyUsage } from '../../../kms-double/keys.ts';
import { type AwsKmsOptions, AwsKmsSigner, KmsKeyError } from '../../../src/signers/aws-kms/index.ts';
import { forever, openSigner, optionsFor, REGION, SECOND_REGION, startKms, type TestKms } from './support.ts';

async function rejectionOf(kms: TestKms, changes: Partial<AwsKmsOptions> = {}): Promise<string> {
  const error: unknown = await AwsKmsSigner.open(optionsFor(kms, changes)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(KmsKeyError);
  return (error as Error).message;
}

test('a key is found by its id, its ARN, an alias and the ARN of an alias: always the same kid', async () => {
  const kms = await startKms();
  const { keyId, arn } = kms.key;
  const aliasArn = arn.replace(/key\/.*/, 'alias/ect');
  const signers = await Promise.all([keyId, arn, 'alias/ect', aliasArn].map((key) => openSigner(kms, { key })));
  const expected = { keyId, kid: signers[0]!.jwk.kid };
  expect(signers.map(({ pin }) => pin)).toEqual(Array(4).fill(expected));
});

test('what is published is the key that KMS has', async () => {
  const kms = await startKms();
  const { publicKey } = await openSigner(kms);
  expect(publicKey.equals(kms.key.material!.publicKey)).toBe(true);
});

test.each<[KeySpec, KeyUsage, string]>([
  ['ECC_NIST_P384', 'SIGN_VERIFY', 'is not on P-256: make one of spec ECC_NIST_P256.'],
  ['RSA_2048', 'SIGN_VERIFY', 'is not on P-256: make one of spec ECC_NIST_P256.'],
  ['RSA_2048', 'ENCRYPT_DECRYPT', 'is not for signing: make one with usage SIGN_VERIFY.'],
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'is not for signing: make one with usage SIGN_VERIFY.'],
  ['ECC_NIST_P256', 'KEY_AGREEMENT', 'is not for signing: make one with usage SIGN_VERIFY.'],
])('D2: a key of %s for %s is rejected at the start', async (spec, usage, what) => {
  const kms = await startKms();
  const { keyId } = kms.double.keys.create(REGION, spec, usage, false);
  expect(await rejectionOf(kms, { key: keyId })).toBe(
    `The key of ECT_KMS_KEY cannot be used (SIGNER_MISCONFIGURED). The key of ECT_KMS_KEY in ${REGION} ${what}`,
  );
});

test.each<[KeyState, string]>([
  ['Disabled', 'is disabled: enable it.'],
  ['PendingDeletion', 'is pending deletion or otherwise unusable'],
  ['PendingImport', 'is pending deletion or otherwise unusable'],
  ['Unavailable', 'is pending deletion or otherwise unusable'],
])('D2: a key in state %s is rejected at the start', async (state, what) => {
  const kms = await startKms();
  kms.key.state = state;
  expect(await rejectionOf(kms)).toContain(what);
});

test('D2: a key that is not there, or that may not be used, is rejected with what to do', async () => {
  const kms = await startKms();
  expect(await rejectionOf(kms, { key: 'alias/other' })).toMatch(
    /NotFoundException.*: correct ECT_KMS_KEY and ECT_KMS_REGION\.$/,
  );
  expect(await rejectionOf(kms, { regions: [SECOND_REGION] })).toContain('NotFoundException');
  for (const operation of ['DescribeKey', 'GetPublicKey', 'Sign']) {
    kms.double.script.clear();
    kms.double.script.add({ kind: 'error', name: 'AccessDeniedException' }, { operation });
    expect(await rejectionOf(kms)).toMatch(
      new RegExp(
        `${operation} in ${REGION}: AccessDeniedException.*: allow kms:Sign, kms:GetPublicKey and kms:DescribeKey`,
      ),
    );
  }
});

test.each(['DescribeKey', 'GetPublicKey', 'Sign'])(
  'D1: a start outlives %s failing twice, and not three times',
  async (operation) => {
    const kms = await startKms();
    kms.double.script.add({ kind: 'error', name: 'ThrottlingException' }, { operation, times: 2 });
    await openSigner(kms);
    kms.double.script.add({ kind: 'reset' }, { operation });
    expect(await rejectionOf(kms)).toMatch(new RegExp(`\\(SIGNER_UNAVAILABLE\\)\\. ${operation} in ${REGION}: `));
  },
);

test.each([
  [
    'of another curve',
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'der' }),
  ],
  ['of another kind', generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' })],
  ['of no kind', Buffer.from('garbage')],
  ['empty', Buffer.alloc(0)],
])('D7: a public key that is %s is rejected at the start', async (_, der) => {
  const kms = await startKms();
  const members = { PublicKey: der.toString('base64') };
  kms.double.script.add({ kind: 'answer', members }, { operation: 'GetPublicKey' });
  expect(await rejectionOf(kms)).toContain('(SIGNER_BAD_OUTPUT). GetPublicKey');
});

test('D7: a public key of another pair is rejected at the start: the first signature does not verify', async () => {
  const kms = await startKms();
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' });
  const members = { PublicKey: other.toString('base64') };
  kms.double.script.add({ kind: 'answer', members }, { operation: 'GetPublicKey' });
  expect(await rejectionOf(kms)).toContain(`(SIGNER_BAD_OUTPUT). Sign in ${REGION}: the signature does not verify.`);
});

test('D7: a public key that is missing, or of another key than was described, is rejected at the start', async () => {
  const kms = await startKms();
  kms.double.script.add({ kind: 'answer', members: { PublicKey: undefined } }, { operation: 'GetPublicKey', times: 1 });
  expect(await rejectionOf(kms)).toContain('the answer lacks what was asked for');
  const { arn } = kms.double.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
  kms.double.script.add({ kind: 'answer', members: { KeyId: arn } }, { operation: 'GetPublicKey', times: 1 });
  expect(await rejectionOf(kms)).toContain('changed during the request');
});

test('D6: an alias that is one key here and another there is rejected at the start', async () => {
  const kms = await startKms();
  const { keyId } = kms.double.keys.create(SECOND_REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', true);
  kms.double.keys.createAlias(SECOND_REGION, 'alias/ect', keyId);
  expect(await rejectionOf(kms, { regions: [REGION, SECOND_REGION] })).toBe(
    `ECT_KMS_KEY is one key in ${REGION} and another in ${SECOND_REGION}: ` +
      'name a multi-Region key that is replicated to every region of ECT_KMS_REGION.',
  );
});

test('a multi-Region key is found everywhere by the ARN that it has in one region', async () => {
  const kms = await startKms();
  kms.double.keys.replicate(kms.key, SECOND_REGION);
  const signer = await openSigner(kms, { key: kms.key.arn, regions: [SECOND_REGION, REGION] });
  expect(signer.pin.keyId).toBe(kms.key.keyId);
  await expect(signer.sign(Buffer.from('input'), forever)).resolves.toHaveLength(64);
});

test.each(['DescribeKey', 'Sign'])(
  'D2 D9: a region that denies %s at the start is left for later if another answers, and that is reported',
  async (operation) => {
    const kms = await startKms();
    kms.double.keys.replicate(kms.key, SECOND_REGION);
    kms.double.script.add({ kind: 'error', name: 'AccessDeniedException' }, { operation, region: REGION });
    const changes: [string, string | undefined][] = [];
    const signer = await openSigner(kms, {
      key: kms.key.keyId,
      regions: [REGION, SECOND_REGION],
      timing: { trialMs: 100 },
      onChange: (region, failure) => changes.push([region, failure?.reason]),
    });
    await expect(signer.sign(Buffer.from('input'), forever)).resolves.toHaveLength(64);
    expect(changes).toEqual([[REGION, 'SIGNER_MISCONFIGURED']]);
    kms.double.script.clear();
    await expect.poll(() => changes.at(-1), { timeout: 10_000 }).toEqual([REGION, undefined]);
  },
);

test('D9: an attempt in vain tells of no region, since none of them comes back', async () => {
  const kms = await startKms();
  kms.double.script.add({ kind: 'error', name: 'AccessDeniedException' }, { operation: 'Sign' });
  const changes: string[] = [];
  await rejectionOf(kms, { onChange: (region) => changes.push(region) });
  expect(changes).toEqual([]);
});

test.each([
  ['AccessDeniedException', 'wait'],
  ['KMSInternalException', 'wait'],
  ['ThrottlingException', 'wait'],
  ['ExpiredTokenException', 'wait'],
  ['UnrecognizedClientException', 'wait'],
  ['DisabledException', 'wait'],
  ['NotFoundException', 'wait-if-known'],
  ['ValidationException', 'fail'],
  ['InvalidArnException', 'fail'],
] as const)('D9: at the start %s means: %s', async (name, atStart) => {
  const kms = await startKms();
  kms.double.script.add({ kind: 'error', name });
  const error: unknown = await AwsKmsSigner.open(optionsFor(kms)).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ atStart });
});
