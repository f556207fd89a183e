// Lists entries of certain kinds. Tasks are stored in the scopes of their workflows; every other kind has one scope.

import { LOSS_SCOPE, MARK_SCOPE } from '../authority/index.ts';
import { EntryKind } from '../gen/ect/v1/ledger_pb.ts';
import { KEY_SCOPE } from '../key-manager/index.ts';
import type { Ledger, LedgerRecord, RecordQuery } from '../ledger/index.ts';

const SCOPES: ReadonlyMap<EntryKind, string> = new Map([
  [EntryKind.TAINT, MARK_SCOPE],
  [EntryKind.KEY, KEY_SCOPE],
  [EntryKind.LOSS, LOSS_SCOPE],
]);

/** Whether `wid` can be the id of a workflow. */
export function isWorkflow(wid: string): boolean {
  return ![...SCOPES.values()].includes(wid);
}

/** How many entries are read at once while entries of other kinds are skipped. */
const PASSED_OVER = 100;

/**
 * Lists the entries of these kinds that match a query; no kinds means all. If the scope is a workflow, `kinds` must contain tasks or be
 * empty.
 */
export async function listKinds(
  ledger: Ledger,
  query: RecordQuery,
  kinds: readonly EntryKind[],
  signal: AbortSignal,
): Promise<readonly LedgerRecord[]> {
  if (kinds.length === 0 || query.scope !== undefined) return ledger.list(query, signal);
  const wanted = [...SCOPES].filter(([kind]) => kinds.includes(kind)).map(([, scope]) => scope);
  if (!kinds.includes(EntryKind.TASK)) return listScopes(ledger, query, wanted, signal);
  const passedOver = new Set([...SCOPES.values()].filter((scope) => !wanted.includes(scope)));
  return listAround(ledger, query, passedOver, signal);
}

async function listScopes(ledger: Ledger, query: RecordQuery, scopes: readonly string[], signal: AbortSignal) {
  const lists = await Promise.all(scopes.map((scope) => ledger.list({ ...query, scope }, signal)));
  const inOrder = lists.flat().sort((a, b) => (query.newestFirst === true ? b.index - a.index : a.index - b.index));
  return inOrder.slice(0, query.limit);
}

/** Lists the entries of all scopes except a few, which have few entries. */
async function listAround(ledger: Ledger, query: RecordQuery, passedOver: ReadonlySet<string>, signal: AbortSignal) {
  const found: LedgerRecord[] = [];
  for (let rest = query; ; ) {
    const records = await ledger.list(rest, signal);
    found.push(...records.filter(({ scope }) => !passedOver.has(scope)));
    const last = records.at(-1);
    if (last === undefined || records.length < rest.limit || found.length >= query.limit) break;
    const limit = Math.max(PASSED_OVER, query.limit - found.length);
    rest =
      query.newestFirst === true
        ? { ...query, endIndex: last.index, limit }
        : { ...query, startIndex: last.index + 1, limit };
  }
  return found.slice(0, query.limit);
}
