// Reads one page of entries: as many as the query requests, at most as many as fit into a response.

import { type AuthorityContext, askedAbout, demandIntact, type Reader } from '../authority/index.ts';
import type { Call } from '../calls/call.ts';
import { createYielder, STEPS_PER_DECISION } from '../concurrency/yielder.ts';
import type { Ledger, LedgerRecord, RecordQuery } from '../ledger/index.ts';
import { listKinds } from './entry-kinds.ts';
import { writeListedEntry } from './entry-messages.ts';
import type { EntryQuery } from './entry-query.ts';
import { pageRoom } from './page-sizes.ts';
import { writePageToken } from './page-token.ts';
import { provenanceFor } from './provenance-messages.ts';

/** The cost of converting an entry, in steps of the yielder: a few microseconds. */
const STEPS_PER_ENTRY = 40;

/** Reads a page of the entries that a caller may see, and verifies each of them against the tree. */
export async function readEntryPage(context: AuthorityContext, asked: EntryQuery, reader: Reader, call: Call) {
  const { ledger } = context;
  const { query, list } = asked;
  const { records, nextIndex } = await readFor(ledger, asked, reader, call);
  let [taken, room] = [0, pageRoom(query.limit, query.withContent)];
  for (const record of records.slice(0, query.limit)) {
    room -= sizeOfEntry(record);
    if (room < 0 && taken > 0) break;
    taken++;
  }
  const listed = records.slice(0, taken);
  await demandIntact(ledger, listed, call);
  const entries: ReturnType<typeof writeListedEntry>[] = [];
  const provenanceOf = provenanceFor(context, call.caller);
  const yielder = createYielder(call);
  for (const record of listed) {
    if (yielder.step(STEPS_PER_ENTRY)) await yielder.yield();
    entries.push(writeListedEntry(record, query.withContent, query.withContent ? provenanceOf(record) : undefined));
  }
  const next = records[taken]?.index ?? nextIndex;
  return { entries, nextPageToken: next === undefined ? '' : writePageToken(list, next) };
}

/** The entries for one page and one more, which shows whether there is a next page. */
interface Found {
  readonly records: readonly LedgerRecord[];
  /** The index at which to continue if all of these entries are on the page; undefined if there are no more. */
  readonly nextIndex: number | undefined;
}

async function readFor(ledger: Ledger, asked: EntryQuery, reader: Reader, call: Call): Promise<Found> {
  const { scope, author } = asked.query;
  if (reader.seesAll) return readAll(ledger, asked, call);
  if (scope === undefined && author !== undefined && !(await reader.mayKnowIssuer(author))) {
    return readWindow(ledger, asked, reader, call);
  }
  return readSeen(ledger, asked, reader, call, scope === undefined ? MAX_LOOKED_AT : Number.POSITIVE_INFINITY);
}

async function readAll(ledger: Ledger, { query, kinds }: EntryQuery, call: Call): Promise<Found> {
  const records = await listKinds(ledger, { ...query, limit: query.limit + 1 }, kinds, call.signal);
  return { records, nextIndex: undefined };
}

/**
 * How many entries one call examines for a caller who may not see all of them. In a single workflow a call examines all entries until its
 * deadline, because a page token would show that the workflow exists.
 */
const MAX_LOOKED_AT = 10_000;
/** The number of entries that are read at once. */
const CHUNK = 1_000;

/**
 * Reads entries for a caller who may not see all of them. Entries that the caller may not see are skipped, so the page is filled with
 * later ones, up to the number of entries that one call examines.
 */
async function readSeen(
  ledger: Ledger,
  { query, kinds }: EntryQuery,
  reader: Reader,
  call: Call,
  max: number,
): Promise<Found> {
  const seen: LedgerRecord[] = [];
  const yielder = createYielder(call);
  let rest = query;
  for (let left = max; left > 0; left -= CHUNK) {
    const records = await listKinds(ledger, { ...rest, limit: CHUNK, withContent: false }, kinds, call.signal);
    for (const record of records) {
      if (yielder.step(STEPS_PER_DECISION)) await yielder.yield();
      if (await reader.maySee(askedAbout(record))) seen.push(record);
      if (seen.length > query.limit) return { records: await whole(ledger, query, seen), nextIndex: undefined };
    }
    const last = records.at(-1);
    if (last === undefined || records.length < CHUNK) {
      return { records: await whole(ledger, query, seen), nextIndex: undefined };
    }
    rest = query.newestFirst === true ? { ...query, endIndex: last.index } : { ...query, startIndex: last.index + 1 };
  }
  const nextIndex = query.newestFirst === true ? (rest.endIndex ?? 0) - 1 : rest.startIndex;
  return { records: await whole(ledger, query, seen), nextIndex: nextIndex < 0 ? undefined : nextIndex };
}

/**
 * Reads entries where it must not be visible whether an issuer has any. A page covers as many indexes as one call examines, of all
 * issuers, so its end and its page token show nothing except the size of the ledger.
 */
async function readWindow(ledger: Ledger, asked: EntryQuery, reader: Reader, call: Call): Promise<Found> {
  const { author: _, ...ofAnybody } = asked.query;
  const next = async (range: Pick<RecordQuery, 'startIndex' | 'endIndex'>) => {
    const query = { ...ofAnybody, ...range, limit: 1, withContent: false };
    return (await ledger.list(query, call.signal))[0]?.index;
  };
  const first = await next(ofAnybody);
  if (first === undefined) return { records: [], nextIndex: undefined };
  const { startIndex, newestFirst } = ofAnybody;
  const [from, end] = newestFirst
    ? [Math.max(startIndex, first + 1 - MAX_LOOKED_AT), first + 1]
    : [first, first + MAX_LOOKED_AT];
  const query = { ...asked.query, startIndex: from, endIndex: end };
  const { records } = await readSeen(ledger, { ...asked, query }, reader, call, Number.POSITIVE_INFINITY);
  if (records.length > query.limit) return { records, nextIndex: undefined };
  return { records, nextIndex: await next(newestFirst ? { startIndex, endIndex: from } : { startIndex: end }) };
}

/** Returns the entries with their content, if requested. */
async function whole(
  ledger: Ledger,
  query: RecordQuery,
  seen: readonly LedgerRecord[],
): Promise<readonly LedgerRecord[]> {
  if (!query.withContent) return seen;
  const records: LedgerRecord[] = [];
  for (const { index } of seen) {
    const record = await ledger.at(index);
    if (record !== undefined) records.push(record);
  }
  return records;
}

/**
 * Returns the maximum size of an entry in a response: its leaf and provenance, the fields that repeat them, and its content if it was
 * read.
 */
function sizeOfEntry({ leaf, content, provenance }: LedgerRecord): number {
  return 2 * leaf.length + (content?.length ?? 0) + 2 * (provenance?.length ?? 0) + 160;
}
