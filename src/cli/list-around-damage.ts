// Lists all entries of a service for an audit, including those that the service finds damaged. The service rejects a page with a damaged
// entry and names its index; the listing then continues around it.

import { ConnectError } from '@connectrpc/connect';
import type { ErrorReason } from '../errors.ts';
import type { Entry } from '../gen/ect/v1/ledger_pb.ts';
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import type { Service } from './client.ts';
import { indexOf, walkEntries } from './walk-entries.ts';

type LedgerClient = Service['ledger'];

/** An entry. A damaged one has no token or, if its leaf is damaged, no content at all. */
export interface ListedEntry {
  readonly index: bigint;
  readonly entry: Entry | undefined;
  readonly isDamaged: boolean;
}

/** Yields the entries from `start` to before `size`, in order. */
export async function* listAroundDamage(
  ledger: LedgerClient,
  start: bigint,
  size: bigint,
  withContent: boolean,
): AsyncGenerator<ListedEntry> {
  // An empty range is not requested: the service would return entries that were recorded after the checkpoint.
  const walk = (from: bigint, end: bigint) =>
    walkEntries(ledger, { withContent, fromIndex: from }, Math.max(0, Number(end - from)));
  for (let next = start; next < size; ) {
    let damaged: bigint | undefined;
    try {
      for await (const entry of walk(next, size)) {
        const index = indexOf(entry);
        next = index + 1n;
        yield { index, entry, isDamaged: false };
      }
      return;
    } catch (error) {
      damaged = damagedIndex(error);
      if (damaged === undefined || damaged < next || damaged >= size) throw error;
    }
    for await (const entry of walk(next, damaged)) yield { index: indexOf(entry), entry, isDamaged: false };
    yield { index: damaged, entry: await withoutContent(ledger, damaged), isDamaged: true };
    next = damaged + 1n;
  }
}

/** Returns the entry without its token, if its leaf is undamaged. */
async function withoutContent(ledger: LedgerClient, index: bigint): Promise<Entry | undefined> {
  try {
    const { entries } = await ledger.listEntries({ fromIndex: index, pageSize: 1 });
    return entries.find((entry) => indexOf(entry) === index);
  } catch (error) {
    if (damagedIndex(error) === index) return undefined;
    throw error;
  }
}

/** Returns the index of the damaged entry that a rejection names. */
export function damagedIndex(error: unknown): bigint | undefined {
  const info = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0] : undefined;
  const index = info?.metadata['index'] ?? '';
  return info?.reason === ('LEDGER_CORRUPT' satisfies ErrorReason) && /^[0-9]{1,15}$/.test(index)
    ? BigInt(index)
    : undefined;
}
