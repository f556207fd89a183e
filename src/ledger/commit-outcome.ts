// Who asked for which entry, and what each of them is answered once the entry has its place.

import type { Waiting } from './append-queue.ts';
import { isSame } from './head.ts';
import type { Receipt } from './receipt.ts';
import type { LedgerRecord } from './store.ts';

/** What became of a candidate: new, there already with the same digest, or its name is taken by other content. */
export type AppendOutcome =
  | { readonly outcome: 'added' | 'present'; readonly record: LedgerRecord; readonly receipt: Receipt }
  | { readonly outcome: 'conflict'; readonly record: LedgerRecord; readonly receipt: undefined };

/** All that wait for one scope and name, in the order in which they came. The first is the candidate for the entry. */
export type Group = [Waiting<AppendOutcome>, ...Waiting<AppendOutcome>[]];

/** Groups by scope and name, in the order of each group's first. */
export function groupByName(batch: readonly Waiting<AppendOutcome>[]): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const waiting of batch) {
    const key = keyOf(waiting.candidate);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [waiting]);
    else group.push(waiting);
  }
  return [...groups.values()];
}

/** Scope and name as one. The length says where the scope ends, whatever the two hold. */
export function keyOf({ scope, name }: { readonly scope: string; readonly name: string }): string {
  return `${scope.length} ${scope}${name}`;
}

/** Whether somebody in the group asked for exactly this record, and so is owed a receipt. */
export function isWanted(group: Group, record: LedgerRecord): boolean {
  return group.some(({ candidate }) => isSame(candidate.digest, record.digest));
}

/** Returns the whole group. `receipt` may be undefined only where the record is not wanted. */
export function answerGroup(group: Group, record: LedgerRecord, receipt: Receipt | undefined, added: boolean): void {
  for (const [position, { candidate, resolve }] of group.entries()) {
    if (receipt === undefined || !isSame(candidate.digest, record.digest)) {
      resolve({ outcome: 'conflict', record, receipt: undefined });
    } else {
      resolve({ outcome: added && position === 0 ? 'added' : 'present', record, receipt });
    }
  }
}
