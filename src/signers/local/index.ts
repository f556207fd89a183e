export { generateKeyPem, KeyFileError, readKeyFile, readOrCreateKeyFile } from './key-file.ts';
export { readPassphrase } from './passphrase.ts';
export { LocalSigner } from './signer.ts';
