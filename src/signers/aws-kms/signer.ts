// A P-256 key in AWS KMS: it never leaves the hardware of KMS, and each signature is a call over the network.

import { createHash, type KeyObject } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { EctError, type ErrorReason, reject } from '../../errors.ts';
import type { CallDeadline, OpenSigner, PublicJwk } from '../../keys/index.ts';
import type { KeyIdentity, KeyPin } from './identity.ts';
import { openRegions } from './open.ts';
import { type AwsKmsOptions, TIMING, type Timing } from './options.ts';
import { busyError, type KmsRegion, type SignRequest } from './region.ts';
import { RequestSlots } from './request-slots.ts';

/** The input of a trial. It is no JWS, so its signature cannot be misused. */
const TRIAL = requestFor(Buffer.from('ect-authority: proof of possession'));

export class AwsKmsSigner implements OpenSigner {
  readonly jwk: PublicJwk;
  readonly publicKey: KeyObject;
  /** What must be the same after a restart. */
  readonly pin: KeyPin;
  readonly #regions: readonly KmsRegion[];
  readonly #slots: RequestSlots;
  readonly #timing: Timing;
  readonly #closing = new AbortController();

  private constructor(identity: KeyIdentity, regions: readonly KmsRegion[], concurrency: number, timing: Timing) {
    this.jwk = identity.jwk;
    this.publicKey = identity.publicKey;
    this.pin = { keyId: identity.keyId, kid: identity.jwk.kid };
    this.#regions = regions;
    // Callers share slots, and not the quota of a second. So no more slots are given out than find a turn within the quota: otherwise
    // one caller could take every turn.
    const withinQuota = regions.reduce((sum, region) => sum + region.callsWithinQuota, 0);
    this.#slots = new RequestSlots(Math.min(concurrency, withinQuota), timing.maxWaitMs);
    this.#timing = timing;
    for (const region of regions) void this.#keepTrying(region);
  }

  /**
   * Finds the key in every region and signs with it once. A region that does not respond is left for later if another one does.
   * KmsKeyError, with the next step, for an unusable key and for regions that disagree.
   */
  static async open(options: AwsKmsOptions): Promise<AwsKmsSigner> {
    const timing = { ...TIMING, ...options.timing };
    const { identity, regions } = await openRegions(options, timing, TRIAL);
    return new AwsKmsSigner(identity, regions, options.concurrency, timing);
  }

  async sign(signingInput: Uint8Array, { signal }: CallDeadline, caller = ''): Promise<Uint8Array> {
    if (signal.aborted) throw givenUp(signal);
    const hasSlot = await this.#slots.enter(caller, signal);
    if (!hasSlot) throw signal.aborted ? givenUp(signal) : busyError('The limit of concurrent signatures is reached.');
    try {
      return await this.#attempt(requestFor(signingInput), signal);
    } catch (error) {
      throw signal.aborted ? givenUp(signal) : error;
    } finally {
      this.#slots.leave(caller);
    }
  }

  isReady(): boolean {
    return this.#regions.some(({ failure }) => failure === undefined);
  }

  close(): void {
    this.#closing.abort();
    for (const region of this.#regions) region.close();
  }

  /** Tries the regions in rounds, while a retry of one of them is useful. */
  async #attempt(request: SignRequest, signal: AbortSignal): Promise<Uint8Array> {
    for (let round = 1; ; round++) {
      const failures: EctError[] = [];
      for (const region of this.#regions) {
        try {
          return await region.sign(request, signal);
        } catch (error) {
          if (signal.aborted || !(error instanceof EctError)) throw error;
          failures.push(error);
        }
      }
      const failure = mostHopeful(failures);
      const isOver = failure.reason !== 'SIGNER_UNAVAILABLE' || round >= this.#timing.attempts || !this.isReady();
      if (isOver) throw failure;
      // Full jitter, so that calls that failed together do not retry together.
      await pause(Math.random() * this.#timing.pauseMs * 2 ** (round - 1), undefined, { signal });
    }
  }

  /** Tries an unavailable region, or one that was not called for a long time. */
  async #keepTrying(region: KmsRegion): Promise<void> {
    const { signal } = this.#closing;
    const { trialMs, idleMs } = this.#timing;
    while (!signal.aborted) {
      await pause(trialMs * (0.8 + 0.2 * Math.random()), undefined, { signal, ref: false }).catch(() => undefined);
      const isDue = region.failure !== undefined || region.idleMs > idleMs;
      // The breaker of the region has the error.
      if (isDue && !signal.aborted) await region.trySign(TRIAL, signal).catch(() => undefined);
    }
  }
}

/** The rejection of a region that callers can act on best. */
function mostHopeful(failures: readonly EctError[]): EctError {
  const order: readonly ErrorReason[] = [
    'SIGNER_UNAVAILABLE',
    'SIGNER_BUSY',
    'SIGNER_BAD_OUTPUT',
    'SIGNER_MISCONFIGURED',
  ];
  return failures.toSorted((a, b) => order.indexOf(a.reason) - order.indexOf(b.reason))[0]!;
}

function givenUp({ reason }: AbortSignal): EctError {
  if (reason instanceof EctError) return reason;
  const isDeadline = reason instanceof DOMException && reason.name === 'TimeoutError';
  return isDeadline
    ? new EctError(reject('DEADLINE_EXCEEDED', 'The deadline passed before the token was signed.'), { cause: reason })
    : new EctError(reject('CALL_CANCELLED', 'The call was cancelled before the token was signed.'), { cause: reason });
}

function requestFor(input: Uint8Array): SignRequest {
  return { input, digest: createHash('sha256').update(input).digest() };
}
