// Candidates that require other entries. They share a commit with them, and are left out if one of the required entries was not recorded
// as expected, because another party took its name.

import type { Waiting } from './append-queue.ts';
import { keyOf } from './commit-outcome.ts';
import { isSame } from './head.ts';
import type { Candidate, EntryRef, LedgerStore } from './store.ts';

/** A candidate was not recorded, because a required entry does not exist. It has no other fault. */
export class EntryMissing extends Error {
  override readonly name = 'EntryMissing';
}

/** Thrown inside a commit that would record a candidate without a required entry: the commit is rolled back. */
export class NameTaken extends Error {
  override readonly name = 'NameTaken';
}

/** The part of a batch that may be committed. */
export interface Admitted<Outcome> {
  readonly batch: readonly Waiting<Outcome>[];
  /** Required names that this commit itself must record. */
  readonly needed: ReadonlySet<string>;
}

const NOTHING_NEEDED: ReadonlySet<string> = new Set();

/**
 * Leaves out the candidates whose requirements cannot be met, and rejects them with EntryMissing. An entry of the store meets a
 * requirement, and so does an earlier candidate of the batch. With `isCertain` the store is checked for the latter too, because another
 * party may have taken the name.
 */
export async function admit<Outcome>(
  store: LedgerStore,
  batch: readonly Waiting<Outcome>[],
  isCertain: boolean,
): Promise<Admitted<Outcome>> {
  if (batch.every(({ candidate }) => candidate.after === undefined)) return { batch, needed: NOTHING_NEEDED };
  const earlier = new Map<string, Candidate>();
  const needed = new Set<string>();
  const admitted: Waiting<Outcome>[] = [];
  for (const waiting of batch) {
    const { candidate } = waiting;
    if (await areMet(store, candidate.after ?? [], earlier, needed, isCertain)) {
      admitted.push(waiting);
      if (!earlier.has(keyOf(candidate))) earlier.set(keyOf(candidate), candidate);
    } else {
      waiting.reject(new EntryMissing('An entry that this one follows is not recorded.'));
    }
  }
  return { batch: admitted, needed };
}

async function areMet(
  store: LedgerStore,
  after: readonly EntryRef[],
  earlier: ReadonlyMap<string, Candidate>,
  needed: Set<string>,
  isCertain: boolean,
): Promise<boolean> {
  for (const required of after) {
    const key = keyOf(required);
    const isAhead = isSame(earlier.get(key)?.digest, required.digest);
    const existing = isAhead && !isCertain ? undefined : await store.find(required.scope, required.name);
    if (existing === undefined && !isAhead) return false;
    if (existing !== undefined && !isSame(existing.digest, required.digest)) return false;
    if (existing === undefined) needed.add(key);
  }
  return true;
}

/** Called under the lock of the sequencer: checks that the commit records all that is required. Throws NameTaken. */
export function demandNeeded(fresh: readonly Candidate[], needed: ReadonlySet<string>): void {
  if (needed.size === 0) return;
  const names = new Set(fresh.map(keyOf));
  for (const key of needed) if (!names.has(key)) throw new NameTaken();
}
