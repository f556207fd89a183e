export { ALGORITHMS, type Algorithm, CALLER_ALGORITHMS } from './algorithms.ts';
export { hasMoreCharacters } from './characters.ts';
export { derToLowRaw, isLowRaw } from './ecdsa.ts';
export { describePublicKey, type Kid, type PublicJwk, type PublishedJwk, readPublicJwk, writeKeySet } from './jwk.ts';
export { contradictionOf } from './jwk-purpose.ts';
export { type FindPastKey, KeyRing, type OnMissed, type TrustedKey } from './key-ring.ts';
export { SignatureBatcher } from './signature-batcher.ts';
export type { CallDeadline, OpenSigner, Signer, SignerChoice } from './signer.ts';
export { MAX_KID_CHARACTERS, readTrustedJwk, type TrustedJwk } from './trusted-jwk.ts';
