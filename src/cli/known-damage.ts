// Finds out whether a service knows of damage in its own files. An audit over the network sees entries and proofs, but not the indexes by
// which the service finds them.

import { Code, ConnectError } from '@connectrpc/connect';
import { EntryKind } from '../gen/ect/v1/ledger_pb.ts';
import type { Service } from './client.ts';
import { damagedIndex } from './list-around-damage.ts';

/** Returns a sentence about known damage; undefined if the service reports none. */
export async function knownDamage({ ledger, readPage }: Service): Promise<string | undefined> {
  if (await rejectsLists(ledger)) return `${KNOWN} its ledger, and does not answer what rests on an index`;
  return isIntact(await readPage('/readyz')) ? undefined : `${KNOWN} one of its files ("integrity": false in /readyz)`;
}

const KNOWN = 'the service itself knows of damage of';

/** Whether a list of one kind is rejected. Such a list needs an index, and a service that knows of damage rejects it. */
async function rejectsLists(ledger: Service['ledger']): Promise<boolean> {
  try {
    await ledger.listEntries({ kinds: [EntryKind.TAINT], pageSize: 1 });
    return false;
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.DataLoss) throw error;
    // A rejection that names an entry is about that entry.
    return damagedIndex(error) === undefined;
  }
}

/** False only if the page says so. There may be no page. */
function isIntact(page: string | undefined): boolean {
  try {
    const { checks } = JSON.parse(page ?? '') as { readonly checks?: { readonly integrity?: unknown } };
    return checks?.integrity !== false;
  } catch {
    return true;
  }
}
