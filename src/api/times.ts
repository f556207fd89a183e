// Reads times and durations in requests. Binary protobuf can represent values outside of the ranges of Timestamp and Duration; the JSON
// parser checks these ranges, so here every field is checked. A time is rounded down to the stored unit; the bound of a list is compared
// exactly.

import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';
import { demand } from './invalid.ts';

/** The range of a Timestamp, 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, in seconds since the epoch. */
const [FIRST_SECOND, LAST_SECOND] = [-62_135_596_800n, 253_402_300_799n];
/** The maximum of a Duration: about 10,000 years. */
const MAX_DURATION_SECONDS = 315_576_000_000n;
const MAX_NANOS = 999_999_999;
const NANOS_PER_MS = 1_000_000;

const MOMENT_RULE = 'must be a time from 1970 to 9999, with nanos from 0 to 999,999,999';

/** Returns the time in seconds since the epoch, rounded down; undefined if the field is absent. */
export function readSecond(field: string, timestamp: Timestamp | undefined): number | undefined {
  if (timestamp === undefined) return undefined;
  demand(isTime(timestamp) && timestamp.seconds >= 0n, field, MOMENT_RULE);
  return Number(timestamp.seconds);
}

/** Returns the time in milliseconds since the epoch, rounded down; undefined if the field is absent. */
export function readMillisecond(field: string, timestamp: Timestamp | undefined): number | undefined {
  const seconds = readSecond(field, timestamp);
  return seconds === undefined ? undefined : 1000 * seconds + Math.floor((timestamp?.nanos ?? 0) / NANOS_PER_MS);
}

/** Returns the bound of a list of times: the first millisecond that is not before it; undefined if the field is absent. */
export function readBound(field: string, timestamp: Timestamp | undefined): number | undefined {
  if (timestamp === undefined) return undefined;
  const { seconds, nanos } = timestamp;
  demand(isTime(timestamp), field, 'must be a time from year 1 to 9999, with nanos from 0 to 999,999,999');
  return 1000 * Number(seconds) + Math.ceil(nanos / NANOS_PER_MS);
}

function isTime({ seconds, nanos }: Timestamp): boolean {
  return seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos <= MAX_NANOS;
}

/** Returns the duration in milliseconds, with fractions; undefined if the field is absent. Rejects negative durations. */
export function readDurationMs(field: string, duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined;
  const { seconds, nanos } = duration;
  const isDuration = seconds <= MAX_DURATION_SECONDS && nanos <= MAX_NANOS;
  demand(
    isDuration && seconds >= 0n && nanos >= 0,
    field,
    'must not be negative, and must have at most 315,576,000,000 seconds and nanos from 0 to 999,999,999',
  );
  return 1000 * Number(seconds) + nanos / NANOS_PER_MS;
}
