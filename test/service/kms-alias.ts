// A KMS double with a signing key under an alias, and the settings with which a service uses it.

import { onTestFinished } from 'vitest';
import { type KmsDouble, startKmsDouble } from '../../kms-double/server.ts';
import type { Settings } from '../support/service-process.ts';

export const REGION = 'eu-central-1';

/** Starts a double. It is stopped with the test. */
export async function startAliasedDouble(options: Parameters<typeof startKmsDouble>[0]): Promise<KmsDouble> {
  const double = await startKmsDouble(options);
  onTestFinished(() => double[Symbol.asyncDispose]());
  const { keyId } = double.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
  double.keys.createAlias(REGION, 'alias/ect', keyId);
  return double;
}

export function kmsSettings(double: KmsDouble): Settings {
  return {
    ECT_SIGNER: 'kms',
    ECT_KMS_KEY: 'alias/ect',
    ECT_KMS_REGION: REGION,
    ECT_KMS_ENDPOINT: double.url,
    AWS_ACCESS_KEY_ID: double.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: double.credentials.secretAccessKey,
  };
}
