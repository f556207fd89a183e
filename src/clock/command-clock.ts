// The clock of a command that dates an entry while no service runs: it uses the trusted time of the previous service.

import { readAnchor } from './anchor-file.ts';
import { readBootId, readClocks } from './machine.ts';
import { TrustedClock } from './trusted-clock.ts';

/**
 * Compares the wall clock with the anchor at `path`, without writing. A clock that is behind the newest entry cannot date an entry
 * wrongly, because an entry gets at least the time of the previous one, so this is not checked.
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
