// The clock of a process: looks at the clocks of the machine once a second, and keeps the trusted time for the next process.

import { existsSync } from 'node:fs';
import { anchorOf } from './anchor.ts';
import { readAnchor, writeAnchor } from './anchor-file.ts';
import { readBootId, readClocks } from './machine.ts';
import { type ClockEvents, TrustedClock } from './trusted-clock.ts';

export interface OpenClock {
  readonly clock: TrustedClock;
  /** Stops, and keeps the trusted time. */
  stop(): void;
}

export interface OpenClockOptions {
  /** Where it is kept; undefined: nowhere, the service is in memory. */
  readonly path: string | undefined;
  /** Time of the newest entry of the ledger, in milliseconds; 0 for none. */
  readonly newestMs: number;
  readonly events: ClockEvents & {
    /** What is kept at `path` says nothing: what time it was is known by the newest entry alone. */
    clockForgotten(): void;
  };
  /** Called when the wall clock is trusted again. */
  readonly onTrusted: () => void;
}

const LOOK_MS = 1_000;
/** It only becomes more exact: the boot time of the machine says how long ago it was written. */
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
        // Not within the look that found it.
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
