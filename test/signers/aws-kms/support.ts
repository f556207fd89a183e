// A double of KMS with a key, and signers over it: the real SDK, real HTTP, and timeouts that are short enough for tests.

import { onTestFinished } from 'vitest';
import type { KmsKey } from '../../../kms-double/keys.ts';
import { type KmsDouble, type KmsDoubleOptions, startKmsDouble } from '../../../kms-double/server.ts';
import { type AwsKmsOptions, AwsKmsSigner } from '../../../src/signers/aws-kms/index.ts';

export const REGION = 'eu-central-1';
export const SECOND_REGION = 'eu-west-1';

/** Long enough for a machine that is busy. Trials are so rare that none comes unless a test asks for them. */
const TIMING = { callMs: 10_000, pauseMs: 5, trialMs: 3_600_000, idleMs: 3_600_000 };

export const forever = { signal: new AbortController().signal };

export interface TestKms {
  readonly double: KmsDouble;
  readonly key: KmsKey;
}

/** Starts a double with one signing key under `alias/ect`, and lets the SDK find its credentials. Both end with the test. */
export async function startKms(options: KmsDoubleOptions = {}): Promise<TestKms> {
  const kms = await makeKms(options);
  onTestFinished(() => kms.double[Symbol.asyncDispose]());
  useCredentials(kms.double.credentials);
  return kms;
}

/** A double with one signing key under `alias/ect`, which its caller disposes of. */
export async function makeKms(options: KmsDoubleOptions = {}): Promise<TestKms> {
  const double = await startKmsDouble(options);
  const key = double.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', true);
  double.keys.createAlias(REGION, 'alias/ect', key.keyId);
  return { double, key };
}

/** What the SDK finds in the environment, until the test ends. */
export function useCredentials({
  accessKeyId,
  secretAccessKey,
}: {
  accessKeyId: string;
  secretAccessKey: string;
}): void {
  const before = { ...process.env };
  process.env['AWS_ACCESS_KEY_ID'] = accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = secretAccessKey;
  onTestFinished(() => {
    process.env = before;
  });
}

/** Options for a signer with the key of `kms`. */
export function optionsFor({ double }: TestKms, changes: Partial<AwsKmsOptions> = {}): AwsKmsOptions {
  return {
    key: 'alias/ect',
    regions: [REGION],
    endpoint: double.url,
    requestsPerSecond: 100_000,
    concurrency: 1000,
    ...changes,
    timing: { ...TIMING, ...changes.timing },
  };
}

/** A signer that is closed with the test. */
export async function openSigner(kms: TestKms, changes: Partial<AwsKmsOptions> = {}): Promise<AwsKmsSigner> {
  const signer = await AwsKmsSigner.open(optionsFor(kms, changes));
  onTestFinished(() => signer.close());
  return signer;
}
