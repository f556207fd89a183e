// What was marked as compromised, as the graph asks for it.

import type { KnownTaints } from './known-taints.ts';

/** Port: what is marked as compromised. Failures: those of the storage. */
export interface Marks {
  /** Everything that is marked by now. */
  current(): Promise<MarkSet>;
}

/** What is marked at one moment. */
export interface MarkSet {
  readonly size: number;
  /** The ledger's entry that marks this name, made by `taskMark` or `keyMark`. */
  entryOf(name: string): number | undefined;
  /** What was found about recorded tasks under exactly these marks. */
  readonly known: KnownTaints;
}

/** The name under which a task is marked. No two tasks share one, whatever their ids hold. */
export function taskMark(wid: string, jti: string): string {
  return JSON.stringify(['task', wid, jti]);
}

/** The name under which a key is marked. */
export function keyMark(kid: string): string {
  return JSON.stringify(['kid', kid]);
}
