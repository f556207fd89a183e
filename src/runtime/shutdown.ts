// The end of a service: one sequence, whether it is asked to stop, or its start failed or was broken off half way.

/** How long calls in progress may take after a stop signal. */
export const GRACE_MS = 10_000;

/** How long everything else may take. */
export const LATE_MS = 3_000;

/** When a supervisor ends a worker that should have ended by itself. */
export const KILL_MS = GRACE_MS + LATE_MS + 1_000;

/** In this order, whatever the order in which a start began them. */
const STEPS = [
  // Files that change are put in force no more, and no certificate is watched.
  'reload',
  // Health says NOT_SERVING, no connection is taken, calls in flight are answered; after the grace they are cut off.
  'calls',
  // Nothing asks the stores or the disk in the background.
  'watches',
  // Tokens that left before their entries: those that are on their way are written. The others are for the next start.
  'recordings',
  // No key is rotated or certified; signers are closed.
  'keys',
  // What waits for a commit is committed.
  'ledger',
  // What time it is trusted to be is kept for the next process.
  'clock',
  // Pages are moved, the mark is synced, files are closed.
  'stores',
  // From here on another service may own the data directory.
  'directory',
  // The last lines are written.
  'log',
] as const;

export type Step = (typeof STEPS)[number];

/** The service did not end in time. What is left of it holds the process. */
export class StopLate extends Error {
  override readonly name = 'StopLate';
}

type End = (graceMs: number) => unknown;

/** What is to be ended of one service. */
export class Shutdown {
  readonly #ends = new Map<Step, End[]>();
  readonly #lateMs: number;
  #running: Promise<void> | undefined;
  #steps: Promise<void> | undefined;

  constructor(lateMs = LATE_MS) {
    this.#lateMs = lateMs;
  }

  /** To be said of everything that needs an end, as soon as it has begun. Within a step, what began last ends first. */
  at(step: Step, end: End): void {
    const ends = this.#ends.get(step);
    if (ends === undefined) this.#ends.set(step, [end]);
    else ends.unshift(end);
  }

  /**
   * Goes through all steps, whatever fails in one of them, and rejects with the first failure. StopLate where it takes
   * longer than the grace and `lateMs`. Asked again, it is the same run.
   */
  run(graceMs: number): Promise<void> {
    this.#running ??= this.#runOnce(graceMs);
    return this.#running;
  }

  /** Waits until every step of the run has finished, also one that was late, and for `ms` at most. */
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
