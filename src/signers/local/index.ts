export { generateKeyPem, KeyFileError, readKeyFile, readOrCreateKeyFile, readOwnKeyFile } from './key-file.ts';
export { readPassphrase } from './passphrase.ts';
export { LocalSigner } from './signer.ts';
