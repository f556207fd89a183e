// A circuit breaker: after several consecutive failures no call is let through until a trial of our own succeeds. Calls of callers are
// never the trial, so while a region is down they are rejected at once and at no cost.

import type { EctError } from '../../errors.ts';

export class Breaker {
  readonly #failuresToOpen: number;
  #inARow = 0;
  #lastSuccessMs: number;
  #failure: EctError | undefined;

  constructor(failuresToOpen: number, nowMs: number) {
    this.#failuresToOpen = failuresToOpen;
    this.#lastSuccessMs = nowMs;
  }

  /** Why no call is let through; undefined while the breaker is closed. */
  get failure(): EctError | undefined {
    return this.#failure;
  }

  get lastSuccessMs(): number {
    return this.#lastSuccessMs;
  }

  succeeded(nowMs: number): void {
    this.#inARow = 0;
    this.#failure = undefined;
    this.#lastSuccessMs = nowMs;
  }

  /** A failure that only an operator can correct opens it immediately. */
  failed(error: EctError): void {
    this.#inARow++;
    const isOver = error.reason === 'SIGNER_MISCONFIGURED' || this.#inARow >= this.#failuresToOpen;
    if (isOver || this.#failure !== undefined) this.open(error);
  }

  open(error: EctError): void {
    this.#failure = error;
  }
}
