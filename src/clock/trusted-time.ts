// The trusted time. Pure functions: from a trusted time and a reading of the machine's clocks follows the next trusted time.
//
// The wall clock is not trusted by itself. It is compared with monotonic time, which cannot be set; if the two differ by more than
// BOUND_MS, the trusted time follows monotonic time, and the wall clock is not trusted until it is right again, or until it has run steadily
// for so long that it is the better guess. docs/decisions/21-time.md describes the rule, anchor.ts the start of a process.

/** The clocks of the machine at one moment, in milliseconds. */
export interface ClockReading {
  /** Since the epoch. Administrators of the machine, and NTP, may set it. */
  readonly wallMs: number;
  /** Monotonic. It may stop while the machine is suspended. */
  readonly steadyMs: number;
  /** Monotonic, and continues while the machine is suspended; undefined if the machine has no such clock. */
  readonly bootMs: number | undefined;
}

/** The wall clock is not trusted. `differenceMs`: how far it is ahead of the trusted time, or of the newest entry. */
export interface ClockSkew {
  readonly against: 'monotonic time' | 'the newest entry' | 'the clock of the database';
  readonly differenceMs: number;
  /** When the skew began, in machine time. */
  readonly sinceMs: number;
  /** How far the wall clock is ahead of machine time; while this is constant, the wall clock runs steadily. */
  readonly offsetMs: number;
}

/**
 * The trusted time. Machine time is monotonic time plus the time that the machine was suspended; an offset is the difference between a
 * time of day and machine time.
 */
export interface TrustedTime {
  /** The trusted time of day. */
  readonly offsetMs: number;
  /** The reference for the wall clock. It follows the wall clock slowly, so that small steps cannot add up to a jump. */
  readonly anchorMs: number;
  /** Whether the anchor is only a lower bound of the time, because the service may have been off. */
  readonly isLowerBound: boolean;
  /** The machine time until which it may be only a lower bound although the wall clock agrees with it. */
  readonly restoredUntilMs: number;
  /** How far the trusted time may be ahead of the real time, after an unexplained step forward. Expiries are delayed by it. */
  readonly lagMs: number;
  /** Machine time after which everything that was unexpired before the step has expired. */
  readonly lagUntilMs: number;
  /** The maximum of the earliest plausible time so far: data that expired until then may have been deleted. */
  readonly forgottenMs: number;
  readonly newestMs: number;
  /** Entries up to this time are known to be ahead of the clock, which was trusted anyway. */
  readonly excusedMs: number;
  readonly sleptMs: number;
  /** How far boot time is ahead of monotonic time. */
  readonly bootGapMs: number;
  /** The machine time of the last reading. */
  readonly lookedAtMs: number;
  readonly skew: ClockSkew | undefined;
}

/** More than the error that NTP permits, and more than its usual steps. */
export const BOUND_MS = 30_000;
/** How long an unexplained step forward must last: an entry that is dated by it cannot be undone. */
export const SETTLE_AHEAD_MS = 60 * 60_000;
/**
 * How long a step back must last: the times of entries never decrease, so less depends on it.
 *
 * @internal Exported because tests compute with it.
 */
export const SETTLE_BACK_MS = 15 * 60_000;
/** How long an unexplained step forward matters: the lifetime of a token and the longest announcement of a key, with a reserve. */
export const LAG_LASTS_MS = 25 * 3_600_000;
/** The anchor follows the wall clock by a hundredth of the time: NTP slews by less than a thousandth. */
const FOLLOW = 0.01;
/** Readings of the two monotonic clocks differ by less if the machine was not suspended. */
const SLEEP_MS = 1_000;

/** The time of day at a moment of monotonic time. */
export function trustedMs({ offsetMs, sleptMs }: TrustedTime, steadyMs: number): number {
  return offsetMs + sleptMs + steadyMs;
}

/**
 * The earliest plausible time: expired data is deleted by this time.
 *
 * @internal Exported because the rule is tested by itself.
 */
export function earliestMs(trustedTime: TrustedTime, steadyMs: number): number {
  return trustedMs(trustedTime, steadyMs) - trustedTime.lagMs;
}

/** The trusted time after a reading of the clocks. `newestMs`: the time of the newest entry, if it is known. */
export function look(before: TrustedTime, reading: ClockReading, newestMs = before.newestMs): TrustedTime {
  // Until now the previous state was in use, and data was deleted according to it.
  return rememberForgetting(judge(rememberForgetting(before, reading), reading, newestMs), reading);
}

/** The trusted time after a clock outside this machine has confirmed the wall clock. */
export function confirm(before: TrustedTime, reading: ClockReading): TrustedTime {
  const remembered = rememberForgetting(before, reading);
  const trustedTime = afterSleep(remembered, reading);
  const machineMs = reading.steadyMs + trustedTime.sleptMs;
  const adopted = adopt({ ...trustedTime, lookedAtMs: machineMs }, reading.wallMs - machineMs);
  return rememberForgetting({ ...adopted, skew: undefined }, reading);
}

function rememberForgetting(trustedTime: TrustedTime, { steadyMs }: ClockReading): TrustedTime {
  return { ...trustedTime, forgottenMs: Math.max(trustedTime.forgottenMs, earliestMs(trustedTime, steadyMs)) };
}

function judge(before: TrustedTime, reading: ClockReading, newestMs = before.newestMs): TrustedTime {
  const trustedTime = withNewest(afterSleep(before, reading), newestMs);
  const machineMs = reading.steadyMs + trustedTime.sleptMs;
  const offsetMs = reading.wallMs - machineMs;
  const differenceMs = offsetMs - trustedTime.anchorMs;
  const lagMs = machineMs < trustedTime.lagUntilMs ? trustedTime.lagMs : 0;
  const looked = { ...trustedTime, lagMs, lookedAtMs: machineMs };
  if (Math.abs(differenceMs) <= BOUND_MS) {
    const followMs = FOLLOW * Math.max(0, machineMs - before.lookedAtMs);
    const anchorMs = trustedTime.anchorMs + Math.max(-followMs, Math.min(differenceMs, followMs));
    const isLowerBound = trustedTime.isLowerBound && machineMs < trustedTime.restoredUntilMs;
    return compareWithEntries({ ...looked, offsetMs, anchorMs, isLowerBound }, before.skew);
  }
  if (trustedTime.isLowerBound && differenceMs > 0) return compareWithEntries(adopt(looked, offsetMs), before.skew);
  const against = trustedTime.isLowerBound ? 'the newest entry' : 'monotonic time';
  const skew = continued(before.skew, { against, differenceMs, sinceMs: machineMs, offsetMs });
  const settleMs = differenceMs > 0 ? SETTLE_AHEAD_MS : SETTLE_BACK_MS;
  if (machineMs - skew.sinceMs < settleMs) return { ...looked, skew };
  const adopted = adopt(looked, offsetMs);
  return { ...adopted, excusedMs: Math.max(adopted.excusedMs, adopted.newestMs), skew: undefined };
}

/** Adds the time that the machine was suspended. */
function afterSleep(trustedTime: TrustedTime, { steadyMs, bootMs }: ClockReading): TrustedTime {
  if (bootMs === undefined) return trustedTime;
  const bootGapMs = bootMs - steadyMs;
  const sleptMs = bootGapMs - trustedTime.bootGapMs;
  // A boot time that went back counts from another boot, and shows nothing.
  if (sleptMs < -SLEEP_MS) return { ...trustedTime, bootGapMs };
  return sleptMs <= SLEEP_MS ? trustedTime : { ...trustedTime, bootGapMs, sleptMs: trustedTime.sleptMs + sleptMs };
}

function withNewest(trustedTime: TrustedTime, newestMs: number): TrustedTime {
  return newestMs <= trustedTime.newestMs ? trustedTime : { ...trustedTime, newestMs };
}

/** The same skew as before if the wall clock has run steadily since, otherwise a new one. */
function continued(before: ClockSkew | undefined, now: ClockSkew): ClockSkew {
  const stands = before?.against === now.against && Math.abs(before.offsetMs - now.offsetMs) <= BOUND_MS;
  return stands ? { ...now, sinceMs: before.sinceMs, offsetMs: before.offsetMs } : now;
}

/** Another process may have dated an entry later than this one assumes. */
function compareWithEntries(trustedTime: TrustedTime, before: ClockSkew | undefined): TrustedTime {
  const { newestMs, excusedMs, offsetMs, lookedAtMs } = trustedTime;
  const differenceMs = offsetMs + lookedAtMs - newestMs;
  if (differenceMs >= -BOUND_MS || newestMs <= excusedMs) return { ...trustedTime, skew: undefined };
  const skew = continued(before, { against: 'the newest entry', differenceMs, sinceMs: lookedAtMs, offsetMs });
  return lookedAtMs - skew.sinceMs < SETTLE_BACK_MS
    ? { ...trustedTime, skew }
    : { ...trustedTime, excusedMs: newestMs, skew: undefined };
}

/** Trusts the wall clock, although it may be ahead by an unknown amount. */
function adopt(trustedTime: TrustedTime, offsetMs: number): TrustedTime {
  const stepMs = offsetMs - trustedTime.anchorMs;
  const lagMs = Math.max(0, trustedTime.lagMs + stepMs);
  const lagUntilMs = stepMs > 0 ? trustedTime.lookedAtMs + LAG_LASTS_MS : trustedTime.lagUntilMs;
  return { ...trustedTime, offsetMs, anchorMs: offsetMs, isLowerBound: false, lagMs, lagUntilMs };
}
