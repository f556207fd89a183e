export { ALGORITHMS, type Algorithm, CALLER_ALGORITHMS } from './algorithms.ts';
export { derToLowRaw, isLowRaw, RAW_SIGNATURE_BYTES, rawToDer } from './ecdsa.ts';
export { describePublicKey, type Kid, type PublicJwk, type PublishedJwk, readPublicJwk, writeKeySet } from './jwk.ts';
export { contradictionOf } from './jwk-purpose.ts';
export { KeyRing, type OnMissed, type RecallKey, type TrustedKey } from './key-ring.ts';
export { SignatureBatcher } from './signature-batcher.ts';
export type { OpenSigner, Signer, SignerChoice, Until } from './signer.ts';
export { readTrustedJwk, type TrustedJwk } from './trusted-jwk.ts';
