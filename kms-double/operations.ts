// The operations of the AWS KMS API that the double knows, as a table. Each reads its request and answers a document.

import { ACCOUNT, demandUsable, type KeySpec, type KeyUsage, type KmsKey, type KmsKeys } from './keys.ts';
import { KmsError } from './kms-error.ts';
import { signWith } from './signature.ts';

/** The JSON of a request. It is a caller's: members may be missing or of another type. */
export type Fields = Readonly<Record<string, unknown>>;

type Operation = (keys: KmsKeys, region: string, request: Fields) => Fields;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  CreateKey(keys, region, request) {
    const spec = text(request, 'KeySpec', 'SYMMETRIC_DEFAULT') as KeySpec;
    const usage = text(request, 'KeyUsage', 'ENCRYPT_DECRYPT') as KeyUsage;
    return { KeyMetadata: describe(keys.create(region, spec, usage, request['MultiRegion'] === true)) };
  },
  ReplicateKey(keys, region, request) {
    const key = keys.find(region, text(request, 'KeyId'));
    return { ReplicaKeyMetadata: describe(keys.replicate(key, text(request, 'ReplicaRegion'))) };
  },
  CreateAlias(keys, region, request) {
    keys.createAlias(region, text(request, 'AliasName'), text(request, 'TargetKeyId'));
    return {};
  },
  UpdateAlias(keys, region, request) {
    keys.updateAlias(region, text(request, 'AliasName'), text(request, 'TargetKeyId'));
    return {};
  },
  DescribeKey(keys, region, request) {
    return { KeyMetadata: describe(keys.find(region, text(request, 'KeyId'))) };
  },
  EnableKey(keys, region, request) {
    changeState(keys.find(region, text(request, 'KeyId')), 'Enabled');
    return {};
  },
  DisableKey(keys, region, request) {
    changeState(keys.find(region, text(request, 'KeyId')), 'Disabled');
    return {};
  },
  ScheduleKeyDeletion(keys, region, request) {
    const key = keys.find(region, text(request, 'KeyId'));
    changeState(key, 'PendingDeletion');
    return { KeyId: key.arn, KeyState: key.state, PendingWindowInDays: request['PendingWindowInDays'] ?? 30 };
  },
  GetPublicKey(keys, region, request) {
    const key = keys.find(region, text(request, 'KeyId'));
    demandUsable(key);
    if (key.material === undefined) throw new KmsError('UnsupportedOperationException');
    const der = key.material.publicKey.export({ type: 'spki', format: 'der' });
    return { ...kind(key), KeyId: key.arn, PublicKey: der.toString('base64') };
  },
  Sign(keys, region, request) {
    const key = keys.find(region, text(request, 'KeyId'));
    const algorithm = text(request, 'SigningAlgorithm');
    const signature = signWith(key, readMessage(request), text(request, 'MessageType', 'RAW'), algorithm);
    return { KeyId: key.arn, Signature: signature.toString('base64'), SigningAlgorithm: algorithm };
  },
};

/** Runs an operation by its name. */
export function perform(operation: string, keys: KmsKeys, region: string, request: Fields): Fields {
  const run = Object.hasOwn(OPERATIONS, operation) ? OPERATIONS[operation] : undefined;
  if (run === undefined) throw new KmsError('UnknownOperationException');
  return run(keys, region, request);
}

/** What a Sign request asks to be signed. */
export function readMessage(request: Fields): Buffer {
  return Buffer.from(text(request, 'Message'), 'base64');
}

function text(request: Fields, member: string, fallback?: string): string {
  const value = request[member] ?? fallback;
  if (typeof value !== 'string' || value === '') throw new KmsError('ValidationException');
  return value;
}

function changeState(key: KmsKey, state: KmsKey['state']): void {
  if (key.state === 'PendingDeletion') throw new KmsError('KMSInvalidStateException');
  key.state = state;
}

function describe(key: KmsKey): Fields {
  return {
    ...kind(key),
    AWSAccountId: ACCOUNT,
    KeyId: key.keyId,
    Arn: key.arn,
    CreationDate: key.createdAt,
    Enabled: key.state === 'Enabled',
    KeyState: key.state,
    KeyManager: 'CUSTOMER',
    Origin: 'AWS_KMS',
    MultiRegion: key.keyId.startsWith('mrk-'),
  };
}

function kind({ spec, usage }: KmsKey): Fields {
  const signing = usage === 'SIGN_VERIFY' && spec.startsWith('ECC');
  const algorithms = { SigningAlgorithms: [spec === 'ECC_NIST_P256' ? 'ECDSA_SHA_256' : 'ECDSA_SHA_384'] };
  return { KeySpec: spec, CustomerMasterKeySpec: spec, KeyUsage: usage, ...(signing ? algorithms : {}) };
}
