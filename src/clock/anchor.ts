// The anchor that one process stores for the next, and the initial trusted time of a process with or without it. Pure functions.

import { type ClockReading, LAG_LASTS_MS, look, SETTLE_AHEAD_MS, type TrustedTime } from './trusted-time.ts';

/** The trusted time of an earlier process, or of this one some time ago. */
export interface Anchor {
  /** The boot of the machine that `bootMs` counts from. */
  readonly bootId: string;
  readonly bootMs: number;
  readonly believedMs: number;
  readonly lagMs: number;
  /** How much longer the lag lasts. */
  readonly lagLeftMs: number;
  readonly forgottenMs: number;
  readonly excusedMs: number;
}

/** What is known when a process starts. */
export interface Evidence {
  /** The id of this boot; undefined if the machine has none. */
  readonly bootId: string | undefined;
  readonly anchor: Anchor | undefined;
  /** Time of the newest entry of the ledger; 0 for none. */
  readonly newestMs: number;
}

/** For this long after a boot the clock of the machine may still be that of its shutdown. */
const RESTORED_MS = SETTLE_AHEAD_MS;

/** The initial trusted time of a process. */
export function begin(reading: ClockReading, { bootId, anchor, newestMs }: Evidence): TrustedTime {
  const { wallMs, steadyMs, bootMs } = reading;
  const blank = {
    newestMs,
    excusedMs: anchor?.excusedMs ?? 0,
    forgottenMs: anchor?.forgottenMs ?? 0,
    sleptMs: 0,
    bootGapMs: (bootMs ?? steadyMs) - steadyMs,
    lookedAtMs: steadyMs,
    skew: undefined,
  };
  if (anchor !== undefined && anchor.bootId === bootId && bootMs !== undefined && bootMs >= anchor.bootMs) {
    // The machine was not switched off, so its boot time shows the age of the anchor.
    const passedMs = bootMs - anchor.bootMs;
    const offsetMs = anchor.believedMs + passedMs - steadyMs;
    const lagLeftMs = anchor.lagLeftMs - passedMs;
    const lagMs = lagLeftMs > 0 ? anchor.lagMs : 0;
    const continued = { offsetMs, anchorMs: offsetMs, isLowerBound: false, lagMs, lagUntilMs: steadyMs + lagLeftMs };
    return look({ ...blank, ...continued, restoredUntilMs: steadyMs }, reading);
  }
  // It is unknown how long the service was off, but the time is later than that of its last write.
  const entryMs = newestMs > blank.excusedMs ? newestMs : 0;
  const floorMs = Math.max(entryMs, anchor?.believedMs ?? 0);
  const offsetMs = (floorMs === 0 ? wallMs : floorMs) - steadyMs;
  const lagMs = anchor === undefined ? 0 : floorMs - anchor.believedMs + anchor.lagMs;
  const lagUntilMs = steadyMs + LAG_LASTS_MS;
  // A machine without a hardware clock continues from the time of its shutdown until NTP corrects it.
  const restoredUntilMs = anchor === undefined ? steadyMs : steadyMs + RESTORED_MS;
  const floor = { offsetMs, anchorMs: offsetMs, isLowerBound: true, restoredUntilMs, lagMs, lagUntilMs };
  return look({ ...blank, ...floor }, reading);
}

/** The anchor for the next process; undefined while the clock is not trusted, because the previous anchor is then better. */
export function anchorOf(trustedTime: TrustedTime, reading: ClockReading, bootId: string): Anchor | undefined {
  const { skew, anchorMs, sleptMs, lagMs, lagUntilMs, forgottenMs, excusedMs } = trustedTime;
  if (skew !== undefined || reading.bootMs === undefined) return undefined;
  const machineMs = reading.steadyMs + sleptMs;
  const lagLeftMs = Math.max(0, lagUntilMs - machineMs);
  return { bootId, bootMs: reading.bootMs, believedMs: anchorMs + machineMs, lagMs, lagLeftMs, forgottenMs, excusedMs };
}
