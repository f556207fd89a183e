// A double with one signing key, and the settings with which a service signs with it: for trying and for the demo.

import { type KmsDouble, type KmsDoubleOptions, startKmsDouble } from './server.ts';

const REGION = 'eu-central-1';
const ALIAS = 'alias/ect';

export interface TrialKms {
  readonly double: KmsDouble;
  readonly keyId: string;
  /** Environment variables. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Starts it on loopback. To dispose of the double ends it, and its key is gone. */
export async function startTrialKms(options: KmsDoubleOptions = {}): Promise<TrialKms> {
  const double = await startKmsDouble(options);
  const { keyId } = double.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
  double.keys.createAlias(REGION, ALIAS, keyId);
  const settings = {
    ECT_SIGNER: 'kms',
    ECT_KMS_KEY: ALIAS,
    ECT_KMS_REGION: REGION,
    ECT_KMS_ENDPOINT: double.url,
    AWS_ACCESS_KEY_ID: double.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: double.credentials.secretAccessKey,
  };
  return { double, keyId, settings };
}
