// The clocks of this machine.

import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { ClockReading } from './trusted-time.ts';

/** A reading that takes longer was interrupted, so its parts are of different times. */
const AT_ONCE_MS = 50;
const MAX_ATTEMPTS = 5;

/** Reads all clocks at one moment. */
export function readClocks(): ClockReading {
  for (let attempt = 1; ; attempt++) {
    const steadyMs = performance.now();
    const wallMs = Date.now();
    const bootMs = bootTimeMs();
    if (performance.now() - steadyMs <= AT_ONCE_MS || attempt === MAX_ATTEMPTS) return { wallMs, steadyMs, bootMs };
  }
}

/** Milliseconds since boot, including the time asleep. On systems other than Linux it may be computed from the wall clock. */
function bootTimeMs(): number | undefined {
  return process.platform === 'linux' ? uptime() * 1000 : undefined;
}

/** The id of this boot; undefined if the machine has none. */
export function readBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}
