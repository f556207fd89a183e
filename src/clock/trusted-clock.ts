// The clock of the service: returns the trusted time, and rejects to date anything while the wall clock is not trusted.

import { EctError, reject } from '../errors.ts';
import { begin, type Evidence } from './anchor.ts';
import { isFarFrom, type SharedTime } from './shared-time.ts';
import {
  BOUND_MS,
  type ClockReading,
  type ClockSkew,
  confirm,
  look,
  type TrustedTime,
  trustedMs,
} from './trusted-time.ts';

/** Called for changes. Must not throw. */
export interface ClockEvents {
  /** The wall clock is no longer trusted: nothing is issued or recorded until it is. */
  clockDoubted(skew: ClockSkew): void;
  /** The wall clock is trusted again. `aheadMs`: how much the trusted time changed. */
  clockTrusted(aheadMs: number): void;
  /** The wall clock was set, by so little that it is still trusted. */
  clockStepped(aheadMs: number): void;
  /** How far the wall clock is ahead of the trusted time, at each reading. */
  clockMeasured(aheadMs: number, isDoubted: boolean): void;
  /** How far the trusted time is ahead of the shared clock, at each of its readings. `isFar`: far enough to be reported. */
  clockCompared(aheadMs: number, isFar: boolean): void;
}

export interface ClockOptions {
  readonly evidence: Evidence;
  readonly events: ClockEvents;
  readonly read: () => ClockReading;
  /** The two clocks that need no system call. */
  readonly readWallMs: () => number;
  readonly readSteadyMs: () => number;
}

/** Smaller steps of NTP are not reported. */
const NOTEWORTHY_MS = 5_000;
/** A corrected wall clock is trusted at the next reading. */
const RETRY_SECONDS = '5';

export class TrustedClock {
  readonly #options: ClockOptions;
  #trustedTime: TrustedTime;
  /** The last reading of the shared clock; undefined: there is none, or it was never read. */
  #shared: SharedTime | undefined;
  /** The skew against the shared clock. */
  #apart: ClockSkew | undefined;
  /** The last reported skew. */
  #reported: ClockSkew | undefined;
  /** How far the trusted time, and the earliest plausible time, are ahead of the monotonic clock. */
  #nowOffsetMs = 0;
  #earliestOffsetMs = 0;

  constructor(options: ClockOptions) {
    this.#options = options;
    const reading = options.read();
    this.#trustedTime = begin(reading, options.evidence);
    this.#apply(reading, undefined);
  }

  /** Milliseconds since the epoch. Between two readings it follows the monotonic clock, whatever happens to the wall clock. */
  nowMs = (): number => Math.floor(this.#nowOffsetMs + this.#options.readSteadyMs());

  /** The earliest plausible time, in milliseconds since the epoch. Expiries are checked against it. */
  earliestMs = (): number => Math.floor(this.#earliestOffsetMs + this.#options.readSteadyMs());

  /**
   * Data that expired at or before this time, in milliseconds since the epoch, may have been deleted, even if the clock was set back
   * since; also by other machines, which use the shared clock.
   */
  forgottenMs = (): number =>
    Math.floor(
      Math.max(this.#trustedTime.forgottenMs, this.earliestMs(), this.#sharedMs() ?? Number.NEGATIVE_INFINITY),
    );

  /** A clock for durations, in milliseconds: it ignores jumps of the wall clock, and continues while the machine is suspended. */
  steadyMs = (): number => this.#trustedTime.sleptMs + this.#options.readSteadyMs();

  /** Whether anything may be dated. */
  get isTrusted(): boolean {
    return this.#skew === undefined;
  }

  /** The shared clock decides between this machine and the one that dated an entry; without it the newest entry does. */
  get #skew(): ClockSkew | undefined {
    const { skew } = this.#trustedTime;
    return skew === undefined || (this.#shared !== undefined && skew.against === 'the newest entry')
      ? this.#apart
      : skew;
  }

  get trustedTime(): TrustedTime {
    return this.#trustedTime;
  }

  /** The time for data that others will read. CLOCK_UNTRUSTED while the wall clock is not trusted. */
  stampMs = (): number => {
    const skew = this.#skew;
    if (skew !== undefined) throw untrusted(skew);
    return this.nowMs();
  };

  /** The time of an entry after one of `newestMs`. The wall clock is read first, because an entry cannot be undone. */
  stampEntryMs = (newestMs: number): number => {
    const { readWallMs } = this.#options;
    const nowMs = this.nowMs();
    const { excusedMs } = this.#trustedTime;
    const isOdd = Math.abs(readWallMs() - nowMs) > BOUND_MS || (newestMs > nowMs + BOUND_MS && newestMs > excusedMs);
    if (isOdd || !this.isTrusted) this.look(newestMs);
    return this.stampMs();
  };

  /** Compares the wall clock with the other clocks. Called once a second. */
  look(newestMs?: number): void {
    const before = this.#trustedTime;
    const reading = this.#options.read();
    this.#trustedTime = look(before, reading, newestMs);
    this.#apply(reading, before);
  }

  /**
   * Compares the trusted time with a clock that several machines share. While the two are too far apart, nothing is dated here; if the
   * wall clock agrees with it, the wall clock is trusted at once.
   */
  compare(shared: SharedTime): void {
    const before = this.#trustedTime;
    this.#shared = shared;
    const reading = this.#options.read();
    const wallAheadMs = reading.wallMs - this.#sharedMs()!;
    if (before.skew !== undefined && !isFarFrom(wallAheadMs, -shared.marginMs, BOUND_MS)) {
      this.#trustedTime = confirm(before, reading);
    }
    this.#apply(reading, before);
    const aheadMs = this.nowMs() - this.#sharedMs()!;
    this.#options.events.clockCompared(aheadMs, isFarFrom(aheadMs, shared.marginMs, NOTEWORTHY_MS));
  }

  /** The time of the shared clock now: between two readings it follows the monotonic clock. */
  #sharedMs(): number | undefined {
    return this.#shared && this.#shared.readMs + this.steadyMs() - this.#shared.steadyMs;
  }

  #findApart(): ClockSkew | undefined {
    const sharedMs = this.#sharedMs();
    if (this.#shared === undefined || sharedMs === undefined) return undefined;
    const differenceMs = this.nowMs() - sharedMs;
    if (!isFarFrom(differenceMs, this.#shared.marginMs, BOUND_MS)) return undefined;
    return {
      against: 'the clock of the database',
      differenceMs,
      sinceMs: this.#apart?.sinceMs ?? this.steadyMs(),
      offsetMs: 0,
    };
  }

  #apply(reading: ClockReading, before: TrustedTime | undefined): void {
    const trustedTime = this.#trustedTime;
    const { offsetMs, sleptMs, lagMs } = trustedTime;
    this.#nowOffsetMs = offsetMs + sleptMs;
    this.#earliestOffsetMs = offsetMs + sleptMs - lagMs;
    this.#apart = this.#findApart();
    const skew = this.#skew;
    const known = this.#reported;
    this.#reported = skew;
    const { events } = this.#options;
    const aheadMs = reading.wallMs - trustedMs(trustedTime, reading.steadyMs);
    events.clockMeasured(aheadMs, skew !== undefined);
    const steppedMs = before === undefined ? 0 : offsetMs - before.offsetMs;
    if (skew !== undefined) {
      if (known?.against !== skew.against) events.clockDoubted(skew);
    } else if (known !== undefined) events.clockTrusted(steppedMs);
    else if (Math.abs(steppedMs) >= NOTEWORTHY_MS) events.clockStepped(steppedMs);
  }
}

function untrusted({ against, differenceMs }: ClockSkew): EctError {
  const seconds = Math.round(Math.abs(differenceMs) / 1000);
  const direction = differenceMs > 0 ? 'ahead of' : 'behind';
  const message = `The wall clock of the service is ${seconds} s ${direction} ${against}, so nothing is issued or recorded.`;
  const facts = { difference_seconds: String(Math.sign(differenceMs) * seconds), retry_after_seconds: RETRY_SECONDS };
  return new EctError(reject('CLOCK_UNTRUSTED', message, facts));
}
