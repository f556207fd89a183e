// The shutdown of a service: the same sequence after a stop signal, and after a start that failed or was interrupted.

/** How long calls in flight may take after a stop signal, in milliseconds. */
export const GRACE_MS = 10_000;

/** How long everything else may take, in milliseconds. */
export const LATE_MS = 3_000;

/** After this time a supervisor kills a worker that has not exited, in milliseconds. */
export const KILL_MS = GRACE_MS + LATE_MS + 1_000;

/** The steps in their order, which does not depend on the order in which the start began them. */
const STEPS = [
  // Changed files are no longer applied, and certificates are no longer watched.
  'reload',
  // Health says NOT_SERVING, no connection is accepted, calls in flight may finish; after the grace period they are aborted.
  'calls',
  // No background work reads the stores or the disk any more.
  'watches',
  // Pending recordings that are being written are completed. The others are left to the next start.
  'recordings',
  // No key is rotated or certified any more; signers are closed.
  'keys',
  // Waiting entries are committed.
  'ledger',
  // The trusted time is stored for the next process.
  'clock',
  // SQLite moves its pages, the mark is synced, files are closed.
  'stores',
  // From here on another service may own the data directory.
  'directory',
  // The last lines are written.
  'log',
] as const;

export type Step = (typeof STEPS)[number];

/** The service did not stop in time. Remaining work keeps the process alive. */
export class StopLate extends Error {
  override readonly name = 'StopLate';
}

type End = (graceMs: number) => unknown;

/** The parts of one service that must be ended. */
export class Shutdown {
  readonly #ends = new Map<Step, End[]>();
  readonly #lateMs: number;
  #running: Promise<void> | undefined;
  #steps: Promise<void> | undefined;

  constructor(lateMs = LATE_MS) {
    this.#lateMs = lateMs;
  }

  /** Registers the end of a part. Call it as soon as the part has begun. Within a step the last part that began ends first. */
  at(step: Step, end: End): void {
    const ends = this.#ends.get(step);
    if (ends === undefined) this.#ends.set(step, [end]);
    else ends.unshift(end);
  }

  /**
   * Runs all steps, even if one fails. Rejects with the first failure, or with StopLate after the grace period and `lateMs`. A second
   * call returns the result of the first.
   */
  run(graceMs: number): Promise<void> {
    this.#running ??= this.#runOnce(graceMs);
    return this.#running;
  }

  /** Waits until all steps have finished, also after StopLate, for at most `ms`. */
  async finished(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([this.#steps?.catch(() => undefined), promise]);
    clearTimeout(timer);
  }

  async #runOnce(graceMs: number): Promise<void> {
    let current: Step = STEPS[0];
    const late = Promise.withResolvers<never>();
    const limitMs = graceMs + this.#lateMs;
    const timer = setTimeout(() => late.reject(tooLate(current, limitMs)), limitMs);
    try {
      this.#steps = this.#runSteps(graceMs, (step) => (current = step));
      await Promise.race([this.#steps, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #runSteps(graceMs: number, onStep: (step: Step) => void): Promise<void> {
    const failures: unknown[] = [];
    for (const step of STEPS) {
      onStep(step);
      for (const end of this.#ends.get(step) ?? []) {
        try {
          await end(graceMs);
        } catch (error) {
          failures.push(error);
        }
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

function tooLate(step: Step, limitMs: number): StopLate {
  return new StopLate(
    `The service did not end within ${limitMs / 1_000} s: the step "${step}" did not finish and was cut off. ` +
      'What was acknowledged is durable; entries that were still to be recorded are recorded after the next start.',
  );
}
