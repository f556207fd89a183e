// Candidates that mean nothing without others. They share a commit with them, and are left out where one of the others did
// not come into the ledger as it was meant to, because another party took its name.

import type { Waiting } from './append-queue.ts';
import { keyOf } from './commit-outcome.ts';
import { isSame } from './head.ts';
import type { Candidate, EntryRef, LedgerStore } from './store.ts';

/** Why a candidate was not recorded: an entry that it needs is not there. Nothing else is wrong with it. */
export class EntryMissing extends Error {
  override readonly name = 'EntryMissing';
}

/** Thrown inside a commit that would record a candidate without what it needs: nothing of the commit stays. */
export class NameTaken extends Error {
  override readonly name = 'NameTaken';
}

/** The part of a batch that may be committed. */
export interface Admitted<Outcome> {
  readonly batch: readonly Waiting<Outcome>[];
  /** Names that are needed, and that this very commit must record. */
  readonly needed: ReadonlySet<string>;
}

const NOTHING_NEEDED: ReadonlySet<string> = new Set();

/**
 * Leaves out the candidates whose requirements cannot be met, and rejects them with EntryMissing. A requirement is met
 * by an entry of the store, or by a candidate that stands earlier in the batch. With `isCertain` the store is asked
 * about the latter too: it may have been recorded by another party in the meantime.
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

/** To be asked under the sequencer lock: whether the commit records all that is needed. Throws NameTaken. */
export function demandNeeded(fresh: readonly Candidate[], needed: ReadonlySet<string>): void {
  if (needed.size === 0) return;
  const names = new Set(fresh.map(keyOf));
  for (const key of needed) if (!names.has(key)) throw new NameTaken();
}
