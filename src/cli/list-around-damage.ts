// Every entry of a service for an audit, also those that the service finds damaged: it rejects the page with such an entry and names
// its index, so the walk goes around it.

import { ConnectError } from '@connectrpc/connect';
import type { ErrorReason } from '../errors.ts';
import type { Entry } from '../gen/ect/v1/ledger_pb.ts';
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import type { Service } from './client.ts';
import { indexOf, walkEntries } from './walk-entries.ts';

type LedgerClient = Service['ledger'];

/** An entry. One that is damaged comes without its token, or, where its leaf is damaged, without anything. */
export interface ListedEntry {
  readonly index: bigint;
  readonly entry: Entry | undefined;
  readonly isDamaged: boolean;
}

/** The entries from `start` to below `size`, in order. */
export async function* listAroundDamage(
  ledger: LedgerClient,
  start: bigint,
  size: bigint,
  withContent: boolean,
): AsyncGenerator<ListedEntry> {
  // Without room for an entry nothing is asked, since the service would answer what came in after the checkpoint.
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

/** The entry without its token, where its leaf is sound. */
async function withoutContent(ledger: LedgerClient, index: bigint): Promise<Entry | undefined> {
  try {
    const { entries } = await ledger.listEntries({ fromIndex: index, pageSize: 1 });
    return entries.find((entry) => indexOf(entry) === index);
  } catch (error) {
    if (damagedIndex(error) === index) return undefined;
    throw error;
  }
}

/** The entry that a rejection names as damaged. */
export function damagedIndex(error: unknown): bigint | undefined {
  const info = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0] : undefined;
  const index = info?.metadata['index'] ?? '';
  return info?.reason === ('LEDGER_CORRUPT' satisfies ErrorReason) && /^[0-9]{1,15}$/.test(index)
    ? BigInt(index)
    : undefined;
}
