// What an attack may do to others: nothing that an honest caller notices, within bounded memory, and nothing for ever.

import type { HonestCall } from './honest-caller.ts';

export const MIB = 2 ** 20;

/** The most memory that the service takes with its default settings. */
const MAX_RSS_MIB = 512;
/** A p99 up to this is never too slow. */
const FINE_MS = 50;
/** A probe of an orchestrator gives up after a second. */
const MAX_FRESH_MS = 1000;

/** What was seen of one attack. */
export interface Measurement {
  /** The honest calls before the attack, and those during it. */
  readonly undisturbed: readonly HonestCall[];
  readonly attacked: readonly HonestCall[];
  readonly seconds: number;
  readonly maxRssBytes: number;
  readonly cpuSeconds: number;
  readonly writtenBytes: number;
  /** The longest that the event loop was held. */
  readonly loopDelayMs: number;
  readonly internal: number;
  readonly bugs: number;
  /** How the service ended, if it did. */
  readonly ended: string | undefined;
  /** What was not as before when the time for that was over. */
  readonly remains: readonly string[];
  /** What the attacker counted. */
  readonly sent: Readonly<Record<string, number>>;
}

/** A rule that was broken. `isTime` are those that a busy machine can break too. */
export interface Fault {
  readonly text: string;
  readonly isTime: boolean;
}

/** The rules that were broken; none: the attack failed. */
export function judge(seen: Measurement, fineMs = FINE_MS): readonly Fault[] {
  const faults: Fault[] = [];
  const find = (isFault: boolean, text: string, isTime = false) => {
    if (isFault) faults.push({ text, isTime });
  };
  const calls = ofKind(seen.attacked, 'call');
  const failures = countFailures(seen.attacked);
  const limit = latencyLimit(seen, fineMs);
  const p99 = percentile(calls, 0.99);
  const fresh = percentile(ofKind(seen.attacked, 'fresh'), 1);
  find(seen.ended !== undefined, `the service ended: ${seen.ended}`);
  find(calls.length === 0, 'no honest call was made');
  for (const [failure, count] of failures) find(true, `${count} honest calls failed: ${failure}`);
  find(p99 > limit, `p99 ${p99.toFixed(0)} ms, limit ${limit.toFixed(0)} ms`, true);
  find(fresh > MAX_FRESH_MS, `a fresh connection waited ${fresh.toFixed(0)} ms`, true);
  find(seen.maxRssBytes > MAX_RSS_MIB * MIB, `${mib(seen.maxRssBytes)} MiB of memory, limit ${MAX_RSS_MIB}`);
  find(seen.internal > 0, `${seen.internal} calls answered with INTERNAL`);
  find(seen.bugs > 0, `${seen.bugs} bug events`);
  // Memory goes back when the collector finds the time.
  for (const text of seen.remains) find(true, `not as before afterwards: ${text}`, text.includes('memory'));
  return faults;
}

/** What the p99 of the honest calls may be. */
export function latencyLimit({ undisturbed }: Measurement, fineMs = FINE_MS): number {
  return Math.max(2 * percentile(ofKind(undisturbed, 'call'), 0.99), fineMs);
}

export function ofKind(calls: readonly HonestCall[], kind: HonestCall['kind']): readonly HonestCall[] {
  return calls.filter((call) => call.kind === kind);
}

/** The smallest duration that this share of the calls does not exceed. 0: there are none. */
export function percentile(calls: readonly HonestCall[], share: number): number {
  const sorted = calls.map(({ ms }) => ms).toSorted((one, other) => one - other);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
}

/** How often each failure was heard. */
export function countFailures(calls: readonly HonestCall[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { failure } of calls) if (failure !== undefined) counts.set(failure, (counts.get(failure) ?? 0) + 1);
  return counts;
}

export function mib(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}
