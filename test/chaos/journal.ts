// The journal of a run: everything that the service acknowledged, and everything that was done to it, one JSON object a line.
// The checker reads nothing else but this and the files of the ledger.

import { closeSync, openSync, writeSync } from 'node:fs';

/** One line. README.md lists the kinds and their members. Bytes are in base64. */
export interface Line {
  readonly kind: string;
  readonly [member: string]: unknown;
}

export class Journal {
  readonly path: string;
  readonly #file: number;
  readonly #beganMs = performance.now();
  readonly #failures = new Map<string, number>();
  #broken = 0;

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'ax');
  }

  /** How many promises were found broken. */
  get broken(): number {
    return this.#broken;
  }

  write({ kind, ...members }: Line): void {
    writeSync(
      this.#file,
      `${JSON.stringify({ kind, ms: Math.round(performance.now() - this.#beganMs), ...members })}\n`,
    );
  }

  /** Something that was promised did not happen. */
  breaks(what: string): void {
    this.#broken++;
    this.write({ kind: 'broken', what });
  }

  /** Calls that failed are counted, and written with the next fault: there are thousands. */
  failed(method: string, why: string): void {
    const key = `${method}: ${why}`;
    this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1);
  }

  writeFailures(): void {
    if (this.#failures.size > 0) this.write({ kind: 'failures', calls: Object.fromEntries(this.#failures) });
    this.#failures.clear();
  }

  close(): void {
    this.writeFailures();
    closeSync(this.#file);
  }
}
