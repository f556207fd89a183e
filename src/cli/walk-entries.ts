// Yields all entries of a listing, page by page. The next page is fetched while the current one is used.

import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type Entry,
  EntryOrder,
  type ListEntriesRequestSchema,
  type ListEntriesResponse,
} from '../gen/ect/v1/ledger_pb.ts';
import type { Service } from './client.ts';

type Filter = Omit<
  Exclude<MessageInitShape<typeof ListEntriesRequestSchema>, { $typeName: string }>,
  'pageSize' | 'pageToken'
>;

const PAGE_SIZE = 1_000;
/**
 * The maximum number of consecutive empty pages. A page is empty if the caller may read none of 10,000 entries, and no ledger has more
 * than this many such pages.
 */
const MAX_EMPTY_PAGES = 100_000;

/** Returns the index of an entry. An absent index counts as 0; the service always sets it. */
export function indexOf({ index = 0n }: Entry): bigint {
  return index;
}

/** Yields the entries that match `filter`, in its order, at most `limit`. */
export async function* walkEntries(
  ledger: Service['ledger'],
  filter: Filter,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<Entry> {
  let left = limit;
  if (left === 0) return;
  const ask = (pageToken: string) => ledger.listEntries({ ...filter, pageSize: Math.min(PAGE_SIZE, left), pageToken });
  const isReverse = filter.order === EntryOrder.NEWEST_FIRST;
  const isFurther = (index: bigint) => last === undefined || (isReverse ? index < last : index > last);
  let last: bigint | undefined;
  let emptyPages = 0;
  let coming: Promise<ListEntriesResponse> | undefined = ask('');
  try {
    while (coming !== undefined) {
      const { entries, nextPageToken }: ListEntriesResponse = await coming;
      // The indexes must rise, or fall; that stops a service that returns pages forever. An empty page with a token is not the end:
      // between the entries that this caller may read there may be many others.
      const page = entries.filter((entry) => isFurther(indexOf(entry))).slice(0, left);
      left -= page.length;
      const end = page.at(-1);
      if (end !== undefined) last = indexOf(end);
      emptyPages = entries.length === 0 ? emptyPages + 1 : 0;
      if (emptyPages > MAX_EMPTY_PAGES)
        throw new Error(`the service has sent ${MAX_EMPTY_PAGES} pages without an entry`);
      const mayHaveMore: boolean = entries.length === 0 || page.length > 0;
      coming = nextPageToken !== '' && mayHaveMore && left > 0 ? ask(nextPageToken) : undefined;
      // The promise is awaited only after this page has been used, and may reject before.
      coming?.catch(() => undefined);
      yield* page;
    }
  } finally {
    await coming?.catch(() => undefined);
  }
}
