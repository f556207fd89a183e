// Converts a ListEntries request into a query: which entries to list, and where the page begins.

import { MAX_PAGE_ENTRIES } from '../calls/message-limits.ts';
import {
  EntryKind,
  EntryKindSchema,
  EntryOrder,
  EntryOrderSchema,
  type ListEntriesRequest,
} from '../gen/ect/v1/ledger_pb.ts';
import type { RecordQuery } from '../ledger/index.ts';
import { MAX_URI_BYTES } from '../token/index.ts';
import { isWorkflow } from './entry-kinds.ts';
import { enumRule, known } from './enums.ts';
import { demand, invalid } from './invalid.ts';
import { checkPageSize, checkPageToken, pageSizeOf, readPageToken } from './page-token.ts';
import { checkLookupId } from './request-fields.ts';
import { readBound } from './times.ts';
import { checkAll } from './violations.ts';

const USUAL_PAGE = 100;

/** One page of a list. */
export interface EntryQuery {
  readonly query: RecordQuery;
  /** Empty means all kinds. */
  readonly kinds: readonly EntryKind[];
  /** Identifies the list in the token of the next page. */
  readonly list: string;
}

/** Reads the request. Throws REQUEST_INVALID, which names each invalid field. */
export function readEntryQuery(request: ListEntriesRequest): EntryQuery {
  const { wid, iss, pageSize, pageToken, fromIndex, order } = request;
  checkAll(
    () => demand(isWorkflow(wid), 'wid', 'names no workflow'),
    () => checkLookupId('wid', wid),
    () => demand(Buffer.byteLength(iss) <= MAX_URI_BYTES, 'iss', `must have at most ${MAX_URI_BYTES} bytes`),
    () => checkKinds(request),
    () => readBound('recorded_from', request.recordedFrom),
    () => readBound('recorded_before', request.recordedBefore),
    () => readIndex('from_index', fromIndex),
    () => known('order', order, EntryOrderSchema),
    () => checkPageSize(pageSize),
    () => checkPageToken(pageToken),
    // A list whose filters cannot be read has no token.
    () => readPageToken(listOf(request), pageToken),
  );
  const list = listOf(request);
  const place = readPageToken(list, pageToken);
  return {
    query: { ...filtersOf(request), ...rangeOf(request, place), limit: entriesAPage(pageSize) },
    kinds: request.kinds,
    list,
  };
}

/** Returns the maximum number of entries on a page. */
export function entriesAPage(pageSize: number): number {
  return pageSizeOf(pageSize, USUAL_PAGE, MAX_PAGE_ENTRIES);
}

function checkKinds({ wid, kinds }: ListEntriesRequest): void {
  for (const [place, kind] of kinds.entries()) {
    known(`kinds[${place}]`, kind, EntryKindSchema);
    demand(kind !== EntryKind.UNSPECIFIED, `kinds[${place}]`, enumRule(EntryKindSchema));
  }
  const hasTasks = kinds.length === 0 || kinds.includes(EntryKind.TASK);
  demand(wid === '' || hasTasks, 'kinds', 'must have ENTRY_KIND_TASK where wid is set: only tasks have a workflow');
}

function filtersOf({ wid, iss, recordedFrom, recordedBefore, withContent }: ListEntriesRequest) {
  const fromMs = readBound('recorded_from', recordedFrom);
  const beforeMs = readBound('recorded_before', recordedBefore);
  return {
    withContent,
    ...(wid === '' ? {} : { scope: wid }),
    ...(iss === '' ? {} : { author: iss }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(beforeMs === undefined ? {} : { beforeMs }),
  };
}

/** `place` is the position of the first entry of the page. */
function rangeOf({ fromIndex, order }: ListEntriesRequest, place: number | undefined) {
  const startIndex = Number(fromIndex);
  if (order !== EntryOrder.NEWEST_FIRST) return { startIndex: Math.max(startIndex, place ?? 0) };
  return { startIndex, newestFirst: true, ...(place === undefined ? {} : { endIndex: place + 1 }) };
}

/** Returns a text that is equal for requests that list the same entries in the same order. */
function listOf(request: ListEntriesRequest): string {
  const { kinds, fromIndex, order } = request;
  const isReverse = order === EntryOrder.NEWEST_FIRST;
  return JSON.stringify([
    'entries',
    filtersOf(request),
    [...new Set(kinds)].sort((a, b) => a - b),
    String(fromIndex),
    isReverse,
  ]);
}

/** Converts an int64 into a number. Rejects negative numbers, and numbers beyond 2^53, at which no entry can exist. */
export function readIndex(field: string, value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
    throw invalid(field, `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
  return Number(value);
}
