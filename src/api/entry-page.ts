// One page of entries: as many as the query asks for, or as a response holds.

import { type AuthorityContext, askedAbout, demandIntact, type Reader } from '../authority/index.ts';
import type { Call } from '../calls/call.ts';
import { createYielder } from '../concurrency/yielder.ts';
import type { Ledger, LedgerRecord, RecordQuery } from '../ledger/index.ts';
import { listKinds } from './entry-kinds.ts';
import { writeListedEntry } from './entry-messages.ts';
import type { EntryQuery } from './entry-query.ts';
import { pageRoom } from './page-sizes.ts';
import { writePageToken } from './page-token.ts';
import { provenanceFor } from './provenance-messages.ts';

/** What it costs to write an entry, in steps of a pace: some microseconds. */
const STEPS_PER_ENTRY = 40;

/** Reads a page of what a caller may see, and holds each of its entries against the tree. */
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

/** Entries for one page, and one more, which tells whether there is a next page. */
interface Found {
  readonly records: readonly LedgerRecord[];
  /** Where to go on if all of these are on the page; undefined: there are no more. */
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
 * Entries that one call looks at for a caller who may not see all of them. In one workflow it looks at all, as long as the call lasts: the
 * token of a next page would tell that there is a workflow.
 */
const MAX_LOOKED_AT = 10_000;
/** What it costs to ask whether an entry may be seen, in steps: little where the response is remembered, and the clock is looked at often. */
const STEPS_PER_DECISION = 125;
/** Entries that are read at once. */
const CHUNK = 1_000;

/**
 * The same for a caller who may not see all entries: those in between are as if they were not there, so a page is filled with what
 * comes after them, as far as one call looks.
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
 * The same where it is a secret whether an issuer has any entries. A page covers so many indexes as one call looks at entries, of
 * whichever issuer: so its end, and the token of the next page, tell the size of the ledger and nothing else.
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

/** With their contents, where these are asked for. */
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

/** Bytes of an entry, at most: its leaf and its provenance, what they say once more as fields, and its content where it was read. */
function sizeOfEntry({ leaf, content, provenance }: LedgerRecord): number {
  return 2 * leaf.length + (content?.length ?? 0) + 2 * (provenance?.length ?? 0) + 160;
}
