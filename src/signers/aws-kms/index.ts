export { KmsKeyError } from './open.ts';
export type { AwsKmsOptions } from './options.ts';
export { holdToPin } from './pin-file.ts';
export { AwsKmsSigner } from './signer.ts';
