// Port: signs tokens. The private key may be anywhere; only this call uses it.

import type { KeyObject } from 'node:crypto';
import type { PublicJwk } from './jwk.ts';

/** How long the caller waits. The signal may be created on its first use. */
export interface CallDeadline {
  readonly signal: AbortSignal;
}

/**
 * An ES256 signer with one key for its lifetime: another key needs another signer.
 *
 * Returns the raw r || s (64 bytes, low s) over SHA-256 of the whole input, of any length; `jwk` is the key that verifies it, and its
 * `kid` goes into the header. Calls may overlap. No invalid signature is returned: the response of a remote signer is verified with
 * `jwk`; a local one proves its key at the start and then verifies a sample of its signatures.
 *
 * A local signer may return synchronously; a remote one returns a promise and retries by itself, within limits and until the signal
 * aborts, so callers never retry. Each attempt signs again: the same input may get several signatures, of which one is returned.
 * Rejects by EctError:
 * - SIGNER_UNAVAILABLE: it does not respond, or cannot sign now;
 * - SIGNER_BUSY: its limits or quota are used up, reported at once to a caller that has its share of them;
 * - SIGNER_MISCONFIGURED: retries are useless until the key or its permission is corrected;
 * - SIGNER_BAD_OUTPUT: its response does not verify;
 * - the reason of the signal, if it aborts while a remote signer works.
 */
export interface Signer {
  readonly jwk: PublicJwk;
  /** `caller`: whose call it is, so that a signer with limits can share them fairly. */
  sign(signingInput: Uint8Array, deadline: CallDeadline, caller?: string): Promise<Uint8Array> | Uint8Array;
}

/** Selects the signer of a token. Keys change between calls, never within one: a call selects once. */
export interface SignerChoice {
  /** Returns synchronously. SIGNER_UNAVAILABLE if no key is active. */
  for(iss: string, execAct: string): Signer;
}

/** A signer as the service holds it. */
export interface OpenSigner extends Signer {
  /** The key of `jwk`, ready for verification. */
  readonly publicKey: KeyObject;
  /** Whether signing will probably succeed now, as known without a signature. */
  isReady(): boolean;
  /** Stops its background work. Calls in progress still complete. */
  close(): void;
}
