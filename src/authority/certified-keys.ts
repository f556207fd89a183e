// Finds the delegated keys that a root key certified. If the root key is compromised they are too, because another party may have
// certified them.

import type { KeyObject } from 'node:crypto';
import { nextSlice } from '../concurrency/yielder.ts';
import { KEY_SCOPE, keyEntryName, openCertificate } from '../key-manager/index.ts';
import { type Kid, readPublicJwk } from '../keys/index.ts';
import type { Ledger } from '../ledger/index.ts';
import { demandIntact } from './intact-records.ts';
import { readLeaf } from './leaf.ts';

/** How many entries are read at once. */
const ENTRIES_PER_PAGE = 200;

/** The keys that one root key certified, in the order of their announcements. */
export class CertifiedKeys {
  readonly #ledger: Ledger;
  readonly #rootKid: string;
  readonly #rootKey: KeyObject;
  readonly #kids = new Set<string>();
  #next: number;
  /** Whether the root key is revoked, so that later announcements do not count. */
  #isComplete = false;

  private constructor(ledger: Ledger, rootKid: string, rootKey: KeyObject, announcedIndex: number) {
    this.#ledger = ledger;
    this.#rootKid = rootKid;
    this.#rootKey = rootKey;
    this.#next = announcedIndex + 1;
  }

  /** Undefined if the ledger announced no such root key. */
  static async of(ledger: Ledger, kid: string): Promise<CertifiedKeys | undefined> {
    for (let generation = 0; ; generation++) {
      const record = await ledger.find(KEY_SCOPE, keyEntryName({ kid: kid as Kid, state: 'announced', generation }));
      if (record === undefined) return undefined;
      const leaf = readLeaf(record);
      if (leaf.type !== 'key' || leaf.kid !== kid) continue;
      const key = readPublicJwk({ ...leaf.jwk });
      return key && new CertifiedKeys(ledger, kid, key.publicKey, record.index);
    }
  }

  /** All root keys, by `kid`; entries that were read before are not read again. */
  async read(): Promise<ReadonlySet<string>> {
    for (let isFull = !this.#isComplete; isFull; ) {
      const startIndex = this.#next;
      const query = { scope: KEY_SCOPE, startIndex, limit: ENTRIES_PER_PAGE, withContent: false };
      const records = await this.#ledger.list(query);
      await demandIntact(this.#ledger, records);
      for (const record of records) {
        const leaf = readLeaf(record);
        if (leaf.type !== 'key') continue;
        if (leaf.kid === this.#rootKid && leaf.state === 'revoked') this.#isComplete = true;
        if (leaf.certificate !== undefined && this.#hasSigned(leaf.certificate)) this.#kids.add(leaf.kid);
      }
      const last = records.at(-1);
      // Concurrent calls share one read.
      if (last !== undefined) this.#next = Math.max(this.#next, last.index + 1);
      isFull = records.length === ENTRIES_PER_PAGE && !this.#isComplete;
      if (isFull) await nextSlice();
    }
    return this.#kids;
  }

  #hasSigned(certificate: string): boolean {
    const says = openCertificate(certificate, (kid) => (kid === this.#rootKid ? this.#rootKey : undefined));
    return says !== undefined;
  }
}
