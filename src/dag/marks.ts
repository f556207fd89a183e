// Port: the marks of compromised tasks and keys, for graphs.

import type { TaintCache } from './taint-cache.ts';

/** Reads marks. Errors: those of the storage. */
export interface Marks {
  /** All current marks. */
  current(): Promise<MarkSet>;
}

/** The marks at one moment. */
export interface MarkSet {
  readonly size: number;
  /** The mark with this name, from `taskMark` or `keyMark`. */
  markOf(name: string): Mark | undefined;
  /** The taints of recorded tasks that were found with exactly these marks. */
  readonly known: TaintCache;
}

/** One mark. */
export interface Mark {
  /** The entry of the mark in the ledger. */
  readonly entry: number;
  /** Of a key: the second since which it is compromised; what is known to be older stays sound. Absent: nothing does. */
  readonly since?: number;
}

/** Whether something known at `knownAt` (seconds) is older than the compromise `since`. False if the time is unknown. */
export function isOlder(knownAt: number | undefined, since: number | undefined): boolean {
  return knownAt !== undefined && since !== undefined && knownAt < since;
}

/** The name of the mark of a task, unambiguous for all ids. */
export function taskMark(wid: string, jti: string): string {
  return JSON.stringify(['task', wid, jti]);
}

/** The name of the mark of a key; each stated time, in milliseconds, has its own name. */
export function keyMark(kid: string, sinceMs?: number): string {
  return JSON.stringify(sinceMs === undefined ? ['kid', kid] : ['kid', kid, sinceMs]);
}
