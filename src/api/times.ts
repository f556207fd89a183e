// Times and durations in requests. The messages of protobuf hold more than their rules allow, and JSON has been held to these rules already:
// here every field is. A moment is rounded down to what is kept of it; a bound of a list is compared exactly.

import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';
import { demand } from './invalid.ts';

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds since 1970: what a Timestamp may be. */
const [FIRST_SECOND, LAST_SECOND] = [-62_135_596_800n, 253_402_300_799n];
/** Some 10,000 years: what a Duration may be. */
const MAX_DURATION_SECONDS = 315_576_000_000n;
const MAX_NANOS = 999_999_999;
const NANOS_PER_MS = 1_000_000;

const MOMENT_RULE = 'must be a time from 1970 to 9999, with nanos from 0 to 999,999,999';

/** The second in which a moment lies; undefined for none. */
export function readSecond(field: string, timestamp: Timestamp | undefined): number | undefined {
  if (timestamp === undefined) return undefined;
  demand(isTime(timestamp) && timestamp.seconds >= 0n, field, MOMENT_RULE);
  return Number(timestamp.seconds);
}

/** The millisecond in which a moment lies; undefined for none. */
export function readMillisecond(field: string, timestamp: Timestamp | undefined): number | undefined {
  const seconds = readSecond(field, timestamp);
  return seconds === undefined ? undefined : 1000 * seconds + Math.floor((timestamp?.nanos ?? 0) / NANOS_PER_MS);
}

/** A bound for times in milliseconds: the first of them that is not before it; undefined for none. */
export function readBound(field: string, timestamp: Timestamp | undefined): number | undefined {
  if (timestamp === undefined) return undefined;
  const { seconds, nanos } = timestamp;
  demand(isTime(timestamp), field, 'must be a time from year 1 to 9999, with nanos from 0 to 999,999,999');
  return 1000 * Number(seconds) + Math.ceil(nanos / NANOS_PER_MS);
}

function isTime({ seconds, nanos }: Timestamp): boolean {
  return seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos <= MAX_NANOS;
}

/** Milliseconds, with their fraction; undefined for none. Never negative. */
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
