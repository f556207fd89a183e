// The clock of a process: reads the clocks of the machine once a second, and stores the trusted time for the next process.

import { existsSync } from 'node:fs';
import { anchorOf } from './anchor.ts';
import { readAnchor, writeAnchor } from './anchor-file.ts';
import { readBootId, readClocks } from './machine.ts';
import { type ClockEvents, TrustedClock } from './trusted-clock.ts';

export interface OpenClock {
  readonly clock: TrustedClock;
  /** Stops, and stores the trusted time. */
  stop(): void;
}

export interface OpenClockOptions {
  /** The path of the stored time; undefined: the service is in memory and stores none. */
  readonly path: string | undefined;
  /** The time of the newest entry of the ledger, in milliseconds; 0 for none. */
  readonly newestMs: number;
  readonly events: ClockEvents & {
    /** The stored time at `path` is unusable: only the newest entry limits the time. */
    clockForgotten(): void;
  };
  /** Called when the wall clock is trusted again. */
  readonly onTrusted: () => void;
}

const LOOK_MS = 1_000;
/** How often the trusted time is stored, in readings: seldom, because the boot time of the machine shows its age. */
const KEEP_EVERY_LOOKS = 600;

export function openClock({ path, newestMs, events, onTrusted }: OpenClockOptions): OpenClock {
  const bootId = readBootId();
  const anchor = path === undefined ? undefined : readAnchor(path);
  if (path !== undefined && anchor === undefined && existsSync(path)) events.clockForgotten();
  let looks = 0;
  let isStopped = false;
  const clock = new TrustedClock({
    evidence: { bootId, anchor, newestMs },
    events: {
      ...events,
      clockTrusted: (aheadMs) => {
        events.clockTrusted(aheadMs);
        // Not within the reading that found it.
        setImmediate(() => {
          if (isStopped) return;
          keep();
          onTrusted();
        });
      },
    },
    read: readClocks,
    readWallMs: Date.now,
    readSteadyMs: () => performance.now(),
  });
  function keep(): void {
    if (path === undefined) return;
    const next = anchorOf(clock.trustedTime, readClocks(), bootId ?? '');
    if (next !== undefined) writeAnchor(path, next);
  }
  keep();
  const timer = setInterval(() => {
    clock.look();
    if (++looks % KEEP_EVERY_LOOKS === 0) keep();
  }, LOOK_MS);
  timer.unref();
  return {
    clock,
    stop: () => {
      isStopped = true;
      clearInterval(timer);
      keep();
    },
  };
}
