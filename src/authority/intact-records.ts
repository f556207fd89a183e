// Checks records before they are returned: the record is consistent, its leaf is in the tree, and its content matches the commitment in
// the leaf. Damage of the store is rejected here, and never becomes a response.

import { createYielder, type Ending } from '../concurrency/yielder.ts';
import { EctError, reject } from '../errors.ts';
import { contentFault, type Ledger, type LedgerRecord, leafHash } from '../ledger/index.ts';
import { placeFault } from './record-fault.ts';

/** The cost of checking a record, in steps of a yielder: about ten microseconds. */
const STEPS_PER_RECORD = 20;

/** LEDGER_CORRUPT for the first damaged record, with its `index`. A record that was read without content is checked without it. */
export async function demandIntact(ledger: Ledger, records: readonly LedgerRecord[], deadline?: Ending): Promise<void> {
  const hashes = await ledger.leafHashes(records.map(({ index }) => index));
  const yielder = createYielder(deadline);
  for (const [place, record] of records.entries()) {
    if (yielder.step(STEPS_PER_RECORD)) await yielder.yield();
    const fault = placeFault(record) ?? contentFault(record) ?? leafFault(record, hashes[place]);
    if (fault === undefined) continue;
    const { index } = record;
    throw new EctError(reject('LEDGER_CORRUPT', `Entry ${index} is damaged: ${fault}.`, { index: String(index) }));
  }
}

function leafFault({ leaf }: LedgerRecord, hash: Uint8Array | undefined): string | undefined {
  const isSame = hash !== undefined && Buffer.compare(leafHash(leaf), hash) === 0;
  return isSame ? undefined : 'its leaf is not the one that the tree was built from';
}
