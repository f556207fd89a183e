// Groups the candidates of a commit by entry, and settles each after the commit.

import type { Waiting } from './append-queue.ts';
import { isSame } from './head.ts';
import type { Receipt } from './receipt.ts';
import type { LedgerRecord } from './store.ts';

/** The result of a candidate: added, existing with the same digest, or its name is taken by other content. */
export type AppendOutcome =
  | { readonly outcome: 'added' | 'present'; readonly record: LedgerRecord; readonly receipt: Receipt }
  | { readonly outcome: 'conflict'; readonly record: LedgerRecord; readonly receipt: undefined };

/** All candidates with one scope and name, in the order of their arrival. The first is the candidate for the entry. */
export type Group = [Waiting<AppendOutcome>, ...Waiting<AppendOutcome>[]];

/** Groups by scope and name, in the order of the first of each group. */
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

/** Scope and name as one key. The length of the scope makes it unambiguous. */
export function keyOf({ scope, name }: { readonly scope: string; readonly name: string }): string {
  return `${scope.length} ${scope}${name}`;
}

/** Whether a candidate of the group requested exactly this record, and so gets a receipt. */
export function isWanted(group: Group, record: LedgerRecord): boolean {
  return group.some(({ candidate }) => isSame(candidate.digest, record.digest));
}

/** Settles the whole group. `receipt` may be undefined only if no candidate requested the record. */
export function answerGroup(group: Group, record: LedgerRecord, receipt: Receipt | undefined, added: boolean): void {
  for (const [position, { candidate, resolve }] of group.entries()) {
    if (receipt === undefined || !isSame(candidate.digest, record.digest)) {
      resolve({ outcome: 'conflict', record, receipt: undefined });
    } else {
      resolve({ outcome: added && position === 0 ? 'added' : 'present', record, receipt });
    }
  }
}
