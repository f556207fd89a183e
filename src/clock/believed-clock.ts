// The clock of the service: tells the time that is believed, and refuses to date anything while the wall clock is doubted.

import { EctError, refuse } from '../errors.ts';
import { begin, type Evidence } from './anchor.ts';
import { type Belief, BOUND_MS, believedMs, type Doubt, look, type Reading } from './belief.ts';

/** Told of what changes. Must not throw. */
export interface ClockEvents {
  /** From now on the wall clock is not believed: nothing is dated until it is. */
  clockDoubted(doubt: Doubt): void;
  /** The wall clock is believed again. `aheadMs`: by how much the told time changed with it. */
  clockBelieved(aheadMs: number): void;
  /** The wall clock was set, by so little that it is believed. */
  clockStepped(aheadMs: number): void;
  /** What the wall clock is ahead of the believed time, at each look. */
  clockMeasured(aheadMs: number, isDoubted: boolean): void;
}

export interface ClockOptions {
  readonly evidence: Evidence;
  readonly events: ClockEvents;
  readonly read: () => Reading;
  /** The two clocks that cost no system call. */
  readonly readWallMs: () => number;
  readonly readSteadyMs: () => number;
}

/** A step that NTP makes without anybody noticing is smaller. */
const NOTEWORTHY_MS = 5_000;
/** A wall clock that is set right is believed at the next look. */
const RETRY_SECONDS = '5';

export class BelievedClock {
  readonly #options: ClockOptions;
  #belief: Belief;
  /** What the told time, and the earliest, are ahead of the monotonic clock as it is read. */
  #nowOffsetMs = 0;
  #earliestOffsetMs = 0;

  constructor(options: ClockOptions) {
    this.#options = options;
    const reading = options.read();
    this.#belief = begin(reading, options.evidence);
    this.#settle(reading, undefined);
  }

  /** Milliseconds since the epoch. Between two looks it goes on by the monotonic clock, whatever becomes of the wall clock. */
  nowMs = (): number => Math.floor(this.#nowOffsetMs + this.#options.readSteadyMs());

  /** The earliest time that it can be, in milliseconds since the epoch: what is kept for a time is forgotten by this. */
  earliestMs = (): number => Math.floor(this.#earliestOffsetMs + this.#options.readSteadyMs());

  /** What was kept until then, in milliseconds since the epoch, may have been forgotten: also where the clock was set back since. */
  forgottenMs = (): number => Math.floor(Math.max(this.#belief.forgottenMs, this.earliestMs()));

  /** For durations: no jump of the wall clock moves it, and it goes on while the machine is suspended. Milliseconds. */
  steadyMs = (): number => this.#belief.sleptMs + this.#options.readSteadyMs();

  /** Whether something may be dated. */
  get isBelieved(): boolean {
    return this.#belief.doubt === undefined;
  }

  get belief(): Belief {
    return this.#belief;
  }

  /** The time for something that others will read. CLOCK_UNTRUSTED while the wall clock is doubted. */
  stampMs = (): number => {
    const { doubt } = this.#belief;
    if (doubt !== undefined) throw untrusted(doubt);
    return this.nowMs();
  };

  /** The time of an entry after one of `newestMs`. The wall clock is looked at first: an entry cannot be taken back. */
  stampEntryMs = (newestMs: number): number => {
    const { readWallMs } = this.#options;
    const nowMs = this.nowMs();
    const { excusedMs } = this.#belief;
    const isOdd = Math.abs(readWallMs() - nowMs) > BOUND_MS || (newestMs > nowMs + BOUND_MS && newestMs > excusedMs);
    if (isOdd || !this.isBelieved) this.look(newestMs);
    return this.stampMs();
  };

  /** Holds the wall clock against the others. To be called once a second. */
  look(newestMs?: number): void {
    const before = this.#belief;
    const reading = this.#options.read();
    this.#belief = look(before, reading, newestMs);
    this.#settle(reading, before);
  }

  #settle(reading: Reading, before: Belief | undefined): void {
    const belief = this.#belief;
    const { doubt, offsetMs, sleptMs, lagMs } = belief;
    this.#nowOffsetMs = offsetMs + sleptMs;
    this.#earliestOffsetMs = offsetMs + sleptMs - lagMs;
    const { events } = this.#options;
    const aheadMs = reading.wallMs - believedMs(belief, reading.steadyMs);
    events.clockMeasured(aheadMs, doubt !== undefined);
    const steppedMs = before === undefined ? 0 : offsetMs - before.offsetMs;
    if (doubt !== undefined) {
      const isNew = before?.doubt?.against !== doubt.against;
      if (isNew) events.clockDoubted(doubt);
    } else if (before?.doubt !== undefined) events.clockBelieved(steppedMs);
    else if (Math.abs(steppedMs) >= NOTEWORTHY_MS) events.clockStepped(steppedMs);
  }
}

function untrusted({ against, differenceMs }: Doubt): EctError {
  const seconds = Math.round(Math.abs(differenceMs) / 1000);
  const direction = differenceMs > 0 ? 'ahead of' : 'behind';
  const message = `The wall clock of the service is ${seconds} s ${direction} ${against}, so nothing is dated by it.`;
  const facts = { difference_seconds: String(Math.sign(differenceMs) * seconds), retry_after_seconds: RETRY_SECONDS };
  return new EctError(refuse('CLOCK_UNTRUSTED', message, facts));
}
