// The beginning of a copy: the head of the source, and the entries that the target already has.

import { type Head, headFault, openCheckpoint } from '../ledger/index.ts';
import { isUnfinishedCopy, unfinishedHead } from '../stores/unfinished-copy.ts';
import type { CopySource, CopyTarget } from './ends.ts';
import { isSameRecord, readBack } from './read-back.ts';
import { damagedSource, rejection } from './rejections.ts';
import { readPages, type TreeRead } from './source-pages.ts';

const NOTHING: TreeRead = { size: 0, frontier: [], recordedAtMs: 0 };

export const START_ANEW = 'Make the target anew, and repeat the copy.';

/** Returns the head of the source, which its key has signed. */
export async function headOf({ name, store, key }: CopySource): Promise<Head> {
  const [head, identity] = [await store.head(), await store.identity()];
  if (head === undefined || identity === undefined) {
    throw rejection(
      'no_ledger',
      `There is no ledger in ${name}.`,
      'Name the place of a service that was started once.',
    );
  }
  if (isUnfinishedCopy(head)) {
    throw rejection('no_ledger', `In ${name} there is an unfinished copy.`, 'Copy from where that came from.');
  }
  if (identity !== key.verifierKey) throw otherLedger(name, identity, `The ledger key is that of ${key.verifierKey}.`);
  const fault = await headFault(store, key.verifierKey);
  if (fault !== undefined) throw damagedSource(name, undefined, fault.replace(/\.$/, ''));
  return head;
}

function otherLedger(name: string, identity: string, what: string) {
  const message = `In ${name} there is the ledger ${identity}. ${what}`;
  return rejection('other_ledger', message, 'Name the right places, or give the key of that ledger.');
}

/** Rejects a source with pending recordings: they are stored beside the ledger and would be lost. */
export function rejectOpenRecordings({ name, openRecordings }: CopySource): void {
  if (openRecordings === 0) return;
  const tokens = openRecordings === 1 ? 'A token that has left waits' : `${openRecordings} tokens that have left wait`;
  const remedy =
    'Start the service there until GetRecording answers no PENDING (some seconds), stop it, and repeat the copy.';
  throw rejection('entries_to_come', `In ${name}: ${tokens} for an entry (asynchronous L3).`, remedy);
}

/** Prepares an empty target, or returns the head of an interrupted copy of the same ledger. */
export async function begin({ key }: CopySource, target: CopyTarget, head: Head): Promise<Head> {
  const { store, name } = target;
  const identity = await store.identity();
  if (identity !== undefined && identity !== key.verifierKey) {
    throw otherLedger(name, identity, `The ledger to be copied is ${key.verifierKey}.`);
  }
  const there = await store.head();
  if (there === undefined) {
    const first = head.size === 0 ? head : unfinishedHead(NOTHING);
    await store.initialise(first, key.verifierKey);
    return first;
  }
  const isUnfinished = isUnfinishedCopy(there);
  if (there.size > head.size || (isUnfinished && head.size > 0 && there.size === head.size)) {
    const what = isUnfinished ? 'an unfinished copy of a longer ledger' : 'more of this ledger than the source';
    const message = `In ${name} there is ${what}: ${there.size} entries, and ${head.size} in the source.`;
    throw rejection('target_ahead', message, 'Name the places the other way round, or copy from the newer source.');
  }
  if (!isUnfinished && !openCheckpoint(there.checkpoint, key.verifierKey).ok) {
    throw rejection('target_differs', `The head in ${name} is not signed by the key of the ledger.`, START_ANEW);
  }
  return there;
}

/** Compares the first `size` entries of both, and returns their tree. */
export async function compare(
  source: CopySource,
  { store, name }: CopyTarget,
  size: number,
  onCompared: (done: number) => void,
): Promise<TreeRead> {
  let tree = NOTHING;
  for await (const page of readPages(source, NOTHING, size)) {
    const theirs = await store.list({ startIndex: tree.size, limit: page.length, withContent: true });
    const differs = page.find((record, place) => {
      const other = theirs[place];
      return other === undefined || !isSameRecord(record, other);
    });
    if (differs !== undefined) {
      const message = `Entry ${differs.index} in ${name} is not that of the source: it is no part of a copy.`;
      throw rejection('target_differs', message, START_ANEW);
    }
    tree = { ...(await readBack(store, name, tree, tree.size + page.length)), recordedAtMs: page.at(-1)!.recordedAtMs };
    onCompared(tree.size);
  }
  return tree;
}
