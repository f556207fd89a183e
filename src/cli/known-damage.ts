// What a service knows of damage of its own files. An audit over the network sees entries and proofs; it does not see the indexes by
// which the service finds them.

import { Code, ConnectError } from '@connectrpc/connect';
import { EntryKind } from '../gen/ect/v1/ledger_pb.ts';
import type { Service } from './client.ts';
import { damagedIndex } from './list-around-damage.ts';

/** That damage is known, as a sentence; undefined where the service says of none. */
export async function knownDamage({ ledger, readPage }: Service): Promise<string | undefined> {
  if (await rejectsLists(ledger)) return `${KNOWN} its ledger, and does not answer what rests on an index`;
  return isIntact(await readPage('/readyz')) ? undefined : `${KNOWN} one of its files ("integrity": false in /readyz)`;
}

const KNOWN = 'the service itself knows of damage of';

/** A list of one kind rests on an index: a service that knows of damage rejects it. */
async function rejectsLists(ledger: Service['ledger']): Promise<boolean> {
  try {
    await ledger.listEntries({ kinds: [EntryKind.TAINT], pageSize: 1 });
    return false;
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.DataLoss) throw error;
    // One entry of the list: that is a fault of its own.
    return damagedIndex(error) === undefined;
  }
}

/** False only where the page says so: there may be none. */
function isIntact(page: string | undefined): boolean {
  try {
    const { checks } = JSON.parse(page ?? '') as { readonly checks?: { readonly integrity?: unknown } };
    return checks?.integrity !== false;
  } catch {
    return true;
  }
}
