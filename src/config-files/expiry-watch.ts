// Says when certificates end: always as a metric, as a warning while there is time, and as an error when it is too late.

import { type CertificateTerm, phaseOf } from './certificate-term.ts';

export interface ExpiryEvents {
  /** These certificates are in force. */
  certificateInForce(term: CertificateTerm): void;
  /** The certificate has not been replaced, and expires soon; `expired`: it has expired. */
  certificateEnding(term: CertificateTerm, expired: boolean): void;
}

const CHECK_MS = 60_000;

export class ExpiryWatch {
  readonly #events: ExpiryEvents;
  readonly #nowMs: () => number;
  readonly #timer: NodeJS.Timeout;
  #terms: readonly CertificateTerm[] = [];
  /** What has been said of each; every phase is said once. */
  #said = new Map<CertificateTerm, string>();

  constructor(events: ExpiryEvents, nowMs: () => number = Date.now) {
    this.#events = events;
    this.#nowMs = nowMs;
    this.#timer = setInterval(() => this.check(), CHECK_MS).unref();
  }

  /** From now on these certificates are in force, and no others. */
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
