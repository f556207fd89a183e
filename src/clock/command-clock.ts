// The clock of a command that dates an entry while no service runs: it trusts what the service before it trusted.

import { readAnchor } from './anchor-file.ts';
import { readBootId, readClocks } from './machine.ts';
import { TrustedClock } from './trusted-clock.ts';

/**
 * Holds the wall clock against what is kept at `path`, and changes nothing there. A clock that is behind the newest entry dates
 * nothing wrongly, since an entry gets the time of the one before it at least, so that is not asked.
 */
export function commandClock(path: string): TrustedClock {
  return new TrustedClock({
    evidence: { bootId: readBootId(), anchor: readAnchor(path), newestMs: 0 },
    events: {
      clockDoubted: () => undefined,
      clockTrusted: () => undefined,
      clockStepped: () => undefined,
      clockMeasured: () => undefined,
      clockCompared: () => undefined,
    },
    read: readClocks,
    readWallMs: Date.now,
    readSteadyMs: () => performance.now(),
  });
}
