// Reports when certificates expire: in a metric, with a warning some time before, and with an error afterwards.

import { type CertificateTerm, phaseOf } from './certificate-term.ts';

export interface ExpiryEvents {
  /** The service now uses this certificate. */
  certificateInForce(term: CertificateTerm): void;
  /** The certificate expires soon and has not been replaced. `expired`: it has expired. */
  certificateEnding(term: CertificateTerm, expired: boolean): void;
}

const CHECK_MS = 60_000;

export class ExpiryWatch {
  readonly #events: ExpiryEvents;
  readonly #nowMs: () => number;
  readonly #timer: NodeJS.Timeout;
  #terms: readonly CertificateTerm[] = [];
  /** The last reported phase of each certificate. Each phase is reported once. */
  #said = new Map<CertificateTerm, string>();

  constructor(events: ExpiryEvents, nowMs: () => number = Date.now) {
    this.#events = events;
    this.#nowMs = nowMs;
    this.#timer = setInterval(() => this.check(), CHECK_MS).unref();
  }

  /** Watches these certificates instead of the previous ones. */
  replace(terms: readonly CertificateTerm[]): void {
    this.#terms = terms;
    this.#said = new Map();
    for (const term of terms) this.#events.certificateInForce(term);
    this.check();
  }

  check(): void {
    for (const term of this.#terms) {
      const phase = phaseOf(term, this.#nowMs());
      if (phase === 'valid' || this.#said.get(term) === phase) continue;
      this.#said.set(term, phase);
      this.#events.certificateEnding(term, phase === 'expired');
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
