// Port: what signs tokens. The private key may be anywhere; only this call reaches it.

import type { KeyObject } from 'node:crypto';
import type { PublicJwk } from './jwk.ts';

/** How long somebody waits for an answer. The signal may be made only when it is asked for. */
export interface CallDeadline {
  readonly signal: AbortSignal;
}

/**
 * An ES256 signer with one key for its lifetime: another key needs another signer.
 *
 * Returns the raw r || s (64 bytes, low s) over SHA-256 of the whole input, of any length; `jwk` is the key that verifies
 * it, and its `kid` goes into the header. Calls may overlap. No bad signature ever leaves: what a remote signer answers
 * is verified against `jwk`; a local one proves its key at the start and then verifies one in so many of its own.
 *
 * A local signer may answer at once; a remote one answers a promise and retries by itself, within bounds and the
 * signal's life, so callers never do. Each attempt signs anew: the same input may get several signatures, of which one
 * leaves. Rejects by EctError:
 * - SIGNER_UNAVAILABLE: it does not answer, or cannot now;
 * - SIGNER_BUSY: its limits or quota are used up, said at once;
 * - SIGNER_MISCONFIGURED: retrying is in vain until somebody fixes the key or the permission to use it;
 * - SIGNER_BAD_OUTPUT: what it answered does not verify;
 * - the reason of the signal, if it aborts while a remote signer works: the caller no longer waits for the result.
 */
export interface Signer {
  readonly jwk: PublicJwk;
  sign(signingInput: Uint8Array, deadline: CallDeadline): Promise<Uint8Array> | Uint8Array;
}

/** Which signer a token is signed by. Keys change between calls, never within one: a call chooses once. */
export interface SignerChoice {
  /** Returns at once. SIGNER_UNAVAILABLE where no key is in force. */
  for(iss: string, execAct: string): Signer;
}

/** A signer as the service holds it. */
export interface OpenSigner extends Signer {
  /** The key of `jwk`, ready to verify with. */
  readonly publicKey: KeyObject;
  /** Whether signing is likely to succeed now. It follows the world without being asked to sign. */
  isReady(): boolean;
  /** Ends what it does by itself. Calls in flight still end. */
  close(): void;
}
