// The key in one region, with a rate limit and a circuit breaker. Responses are not trusted.

import { setTimeout as pause } from 'node:timers/promises';
import { EctError, reject } from '../../errors.ts';
import { ALGORITHMS, derToLowRaw } from '../../keys/index.ts';
import { Breaker } from './breaker.ts';
import { kmsError, repeated } from './failures.ts';
import { type KeyIdentity, keyIdOf } from './identity.ts';
import type { Kms } from './kms.ts';
import { RateLimit } from './rate-limit.ts';

/** The input of a signature and its SHA-256. */
export interface SignRequest {
  readonly input: Uint8Array;
  readonly digest: Uint8Array;
}

export interface RegionOptions {
  readonly name: string;
  readonly kms: Kms;
  readonly identity: KeyIdentity;
  readonly requestsPerSecond: number;
  readonly maxWaitMs: number;
  readonly failuresToOpen: number;
  readonly onChange?: (region: string, failure: EctError | undefined) => void;
}

export class KmsRegion {
  readonly name: string;
  readonly #kms: Kms;
  readonly #identity: KeyIdentity;
  readonly #rateLimit: RateLimit;
  readonly #breaker: Breaker;
  readonly #onChange: RegionOptions['onChange'];

  constructor(options: RegionOptions) {
    const { name, kms, identity, requestsPerSecond, maxWaitMs, failuresToOpen } = options;
    this.name = name;
    this.#kms = kms;
    this.#identity = identity;
    this.#rateLimit = new RateLimit(requestsPerSecond, maxWaitMs);
    this.#breaker = new Breaker(failuresToOpen, performance.now());
    this.#onChange = options.onChange;
  }

  /** Why it is not called; undefined if it is. */
  get failure(): EctError | undefined {
    return this.#breaker.failure;
  }

  /** How many calls of `sign` at once find a turn within its quota. */
  get callsWithinQuota(): number {
    return this.#rateLimit.calls;
  }

  /** The time since its last signature, in milliseconds. */
  get idleMs(): number {
    return performance.now() - this.#breaker.lastSuccessMs;
  }

  /**
   * One attempt: raw r
   *
   * s that verifies, or an EctError. An abort by the signal does not count as a failure.
   */
  async sign(request: SignRequest, signal: AbortSignal): Promise<Uint8Array> {
    const { failure } = this.#breaker;
    if (failure !== undefined) throw repeated(failure);
    const waitMs = this.#rateLimit.take(performance.now());
    if (waitMs === undefined) throw busyError('The quota of the signing key is used up.');
    if (waitMs > 0) await pause(waitMs, undefined, { signal });
    return this.trySign(request, signal);
  }

  /** An attempt that ignores the breaker, and updates it. */
  async trySign(request: SignRequest, signal: AbortSignal): Promise<Uint8Array> {
    try {
      const raw = await this.#signOnce(request, signal);
      this.#learn(() => this.#breaker.succeeded(performance.now()));
      return raw;
    } catch (error) {
      if (error instanceof EctError && !signal.aborted) this.#learn(() => this.#breaker.failed(error));
      throw error;
    }
  }

  /** Opens the breaker until a trial succeeds. */
  suspend(error: EctError): void {
    this.#learn(() => this.#breaker.open(error));
  }

  #learn(change: () => void): void {
    const before = this.#breaker.failure;
    change();
    const after = this.#breaker.failure;
    if ((before === undefined) !== (after === undefined)) this.#onChange?.(this.name, after);
  }

  close(): void {
    this.#kms.close();
  }

  /** The response is not trusted: the key that made it, its format and its signature are checked here. */
  async #signOnce({ input, digest }: SignRequest, signal: AbortSignal): Promise<Uint8Array> {
    const { keyId, publicKey } = this.#identity;
    const { keyArn, signature } = await this.#kms.sign(digest, signal);
    const signer = keyIdOf(keyArn);
    if (signer === undefined) throw kmsError('SIGNER_BAD_OUTPUT', `Sign in ${this.name}: the answer names no key.`);
    if (signer !== keyId) {
      throw kmsError(
        'SIGNER_MISCONFIGURED',
        `Sign in ${this.name}: ECT_KMS_KEY is another key (${signer}) than at the start (${keyId}): ` +
          'point it back.',
      );
    }
    const raw = derToLowRaw(signature);
    if (raw === undefined || !ALGORITHMS.get('ES256')!.verify(publicKey, input, raw)) {
      throw kmsError('SIGNER_BAD_OUTPUT', `Sign in ${this.name}: the signature does not verify.`);
    }
    return raw;
  }
}

export function busyError(message: string): EctError {
  return new EctError(reject('SIGNER_BUSY', message));
}
