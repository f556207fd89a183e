// Every entry of a listing, page by page: the next page is on its way while the one before is being used.

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
/** Pages without an entry in a row. A page of a caller that may read few entries is empty where 10,000 are hidden: no ledger has more. */
const MAX_EMPTY_PAGES = 100_000;

/** Where an entry is. One that does not say so is taken to be the first: the field is always set. */
export function indexOf({ index = 0n }: Entry): bigint {
  return index;
}

/** The entries that `filter` lets through, in its order, at most `limit`. */
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
      // A service that pages without end is stopped by the indexes, which must rise, or fall. An empty page is not the end where it has a
      // token: between the entries that this caller may read there may be many that it may not.
      const page = entries.filter((entry) => isFurther(indexOf(entry))).slice(0, left);
      left -= page.length;
      const end = page.at(-1);
      if (end !== undefined) last = indexOf(end);
      emptyPages = entries.length === 0 ? emptyPages + 1 : 0;
      if (emptyPages > MAX_EMPTY_PAGES)
        throw new Error(`the service has sent ${MAX_EMPTY_PAGES} pages without an entry`);
      const mayHaveMore: boolean = entries.length === 0 || page.length > 0;
      coming = nextPageToken !== '' && mayHaveMore && left > 0 ? ask(nextPageToken) : undefined;
      // It is awaited only after this page has been used, and may have failed by then.
      coming?.catch(() => undefined);
      yield* page;
    }
  } finally {
    await coming?.catch(() => undefined);
  }
}
