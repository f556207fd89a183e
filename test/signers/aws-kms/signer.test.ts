import { startKmsDouble } from '../../../kms-double/server.ts';
import { AwsKmsSigner } from '../../../src/signers/aws-kms/index.ts';
import { signerContract } from '../../contracts/signer.ts';
import { optionsFor, REGION } from './support.ts';

signerContract('AwsKmsSigner', async () => {
  const double = await startKmsDouble();
  process.env['AWS_ACCESS_KEY_ID'] = double.credentials.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = double.credentials.secretAccessKey;
  const key = double.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
  const signer = await AwsKmsSigner.open(optionsFor({ double, key }, { key: key.arn }));
  return {
    signer,
    dispose: async () => {
      signer.close();
      await double[Symbol.asyncDispose]();
    },
  };
});
