// What was marked as compromised, as the graph asks for it.

import type { TaintCache } from './taint-cache.ts';

/** Port: what is marked as compromised. Failures: those of the storage. */
export interface Marks {
  /** Everything that is marked by now. */
  current(): Promise<MarkSet>;
}

/** What is marked at one moment. */
export interface MarkSet {
  readonly size: number;
  /** What marks this name, made by `taskMark` or `keyMark`. */
  markOf(name: string): Mark | undefined;
  /** What was found about recorded tasks under exactly these marks. */
  readonly known: TaintCache;
}

/** One thing that is marked. */
export interface Mark {
  /** The ledger's entry that marks it. */
  readonly entry: number;
  /** Of a key: what is known to be older than this second stays sound. Absent: nothing does. */
  readonly since?: number;
}

/** Whether what was known at `knownAt` (seconds) is older than what is marked since `since`. What is not known when is not. */
export function isOlder(knownAt: number | undefined, since: number | undefined): boolean {
  return knownAt !== undefined && since !== undefined && knownAt < since;
}

/** The name under which a task is marked. No two tasks share one, whatever their ids hold. */
export function taskMark(wid: string, jti: string): string {
  return JSON.stringify(['task', wid, jti]);
}

/** The name under which a key is marked; each time that is stated for it, in milliseconds, has a name of its own. */
export function keyMark(kid: string, sinceMs?: number): string {
  return JSON.stringify(sinceMs === undefined ? ['kid', kid] : ['kid', kid, sinceMs]);
}
