// Somebody who keeps everything that the ledger ever acknowledged, and holds the ledger against it: the checker of the
// crash tests. It trusts the verifier key that it got first, and nothing that the service says later.

import { openCheckpoint, verifyReceipt } from '../../src/ledger/index.ts';
import { verifyConsistency } from '../../src/ledger/verify-proof.ts';
import { type Entry, type Page, proofIn, type Recorded } from '../interop/answers.ts';
import type { GrpcClient } from '../interop/grpc-js-client.ts';

const LEDGER = 'ect.v1.LedgerService';

export class Witness {
  readonly verifierKey: string;
  /** Acknowledged entries by `jti`: where they are, and their leaves. */
  readonly acknowledged = new Map<string, { readonly index: string; readonly leaf: Buffer }>();
  /** Every checkpoint that a receipt ever showed. */
  readonly checkpoints = new Set<string>();
  /** Tasks that an acknowledgement called new. */
  readonly #new = new Set<string>();

  constructor(verifierKey: string) {
    this.verifierKey = verifierKey;
  }

  /** Keeps an acknowledgement, and throws where it is not proven or is not what was acknowledged before. */
  keep({ entry, receipt, duplicate }: Recorded): void {
    const { index, task } = entry;
    const { jti } = task.name;
    const { leaf } = receipt;
    const content = Buffer.from(task.token);
    const proven = verifyReceipt({ leaf, tlogProof: proofIn(receipt), verifierKey: this.verifierKey, content });
    if (!proven.ok) throw new Error(`the receipt of entry ${index} does not hold: ${proven.fault}`);
    if (String(proven.index) !== index) throw new Error(`the receipt of entry ${index} is about ${proven.index}`);
    if (!duplicate && this.#new.has(jti)) throw new Error(`entry ${index} was new for a second time`);
    const known = this.acknowledged.get(jti);
    if (known !== undefined && (known.index !== index || !known.leaf.equals(leaf))) {
      throw new Error(`entry ${known.index} has become another`);
    }
    if (!duplicate) this.#new.add(jti);
    this.acknowledged.set(jti, { index, leaf });
    this.checkpoints.add(receipt.inclusion.checkpoint);
  }

  /** Reads the whole ledger and answers everything that contradicts what was acknowledged. */
  async faults(client: GrpcClient): Promise<readonly string[]> {
    const faults: string[] = [];
    const entries = await readAll(client);
    entries.forEach(({ index }, at) => {
      if (index !== String(at)) faults.push(`entry ${index} stands at ${at}`);
    });
    // Others are about keys.
    const tasks = entries.filter(({ task }) => task !== undefined);
    const byJti = new Map(tasks.map((entry) => [entry.task?.name.jti ?? '', entry]));
    if (byJti.size !== tasks.length) faults.push('a task is recorded twice');
    for (const [jti, { index, leaf }] of this.acknowledged) {
      const found = byJti.get(jti);
      if (found === undefined) faults.push(`acknowledged entry ${index} is lost`);
      else if (found.index !== index) faults.push(`acknowledged entry ${index} is now ${found.index}`);
      else if (!found.leaf.equals(leaf)) faults.push(`the leaf of acknowledged entry ${index} is another`);
    }
    return [...faults, ...(await this.#headFaults(client, entries.length))];
  }

  /** Every checkpoint that was ever seen must be a prefix of the ledger of now. */
  async #headFaults(client: GrpcClient, entryCount: number): Promise<readonly string[]> {
    const { checkpoint } = await client.call<{ checkpoint: string }>(`${LEDGER}/GetCheckpoint`, {});
    const now = openCheckpoint(checkpoint, this.verifierKey);
    if (!now.ok) return [now.fault];
    const faults: string[] = [];
    if (now.size !== entryCount) faults.push(`the checkpoint signs ${now.size} entries of ${entryCount}`);
    for (const note of this.checkpoints) {
      const then = openCheckpoint(note, this.verifierKey);
      if (!then.ok) {
        faults.push(then.fault);
        continue;
      }
      const { hashes } = await client.call<{ hashes: readonly Buffer[] }>(`${LEDGER}/GetConsistencyProof`, {
        first_tree_size: String(then.size),
        second_tree_size: String(now.size),
      });
      const claim = { firstSize: then.size, secondSize: now.size, firstRoot: then.root, secondRoot: now.root, hashes };
      if (!verifyConsistency(claim))
        faults.push(`the tree of size ${then.size} is no prefix of the one of ${now.size}`);
    }
    return faults;
  }
}

async function readAll(client: GrpcClient): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let page_token = '';
  do {
    const page = await client.call<Page>(`${LEDGER}/ListEntries`, { page_size: 1000, page_token });
    entries.push(...page.entries);
    page_token = page.next_page_token;
  } while (page_token !== '');
  return entries;
}
