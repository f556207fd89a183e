// Reports failures of periodic work: each once when it begins, and their end once.

import { EctError } from '../errors.ts';

export interface ReportedFailuresOptions {
  /** `isNews`: the previous round did not fail in this way. */
  readonly onFailed: (cause: unknown, isNews: boolean) => void;
  /** A round without failures has followed one with failures. */
  readonly onRecovered: () => void;
}

export class ReportedFailures {
  readonly #options: ReportedFailuresOptions;
  #before: ReadonlySet<string> = new Set();
  #now = new Set<string>();
  #last: unknown;

  constructor(options: ReportedFailuresOptions) {
    this.#options = options;
  }

  /** Of a failure that occurs in several places only the first counts. */
  failed(cause: unknown): void {
    if (cause === this.#last) return;
    this.#last = cause;
    const kind = kindOf(cause);
    this.#options.onFailed(cause, !this.#before.has(kind) && !this.#now.has(kind));
    this.#now.add(kind);
  }

  /** Ends a round. */
  roundEnded(): void {
    if (this.#before.size > 0 && this.#now.size === 0) this.#options.onRecovered();
    this.#before = this.#now;
    this.#now = new Set();
  }
}

/** Compared by reason, because the message may change during an outage. */
function kindOf(cause: unknown): string {
  if (cause instanceof EctError) return cause.reason;
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}
