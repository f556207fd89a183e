// Failures of periodic work: each is reported when it begins, and their end is reported once.

import { EctError } from '../errors.ts';

export interface ReportedFailuresOptions {
  /** `isNews`: the round before did not fail in this way. */
  readonly onFailed: (cause: unknown, isNews: boolean) => void;
  /** A round has passed without a failure, after one that had some. */
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

  /** Of one failure that is met in several places only the first counts. */
  failed(cause: unknown): void {
    if (cause === this.#last) return;
    this.#last = cause;
    const kind = kindOf(cause);
    this.#options.onFailed(cause, !this.#before.has(kind) && !this.#now.has(kind));
    this.#now.add(kind);
  }

  /** Ends a round in which everything was tried. */
  roundEnded(): void {
    if (this.#before.size > 0 && this.#now.size === 0) this.#options.onRecovered();
    this.#before = this.#now;
    this.#now = new Set();
  }
}

/** The reason says more than the words, which change while something is away. */
function kindOf(cause: unknown): string {
  if (cause instanceof EctError) return cause.reason;
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}
