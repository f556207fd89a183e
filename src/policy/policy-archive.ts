// Stores the policies that have been in force beside the ledger, so that the digest in an entry can be resolved to a text, even after the
// files have changed.

import type { PolicyArchive } from '../authority/index.ts';
import type { DocumentStore } from '../ledger/index.ts';
import { type PolicyTexts, policyDocument } from './policy-texts.ts';

export class KeptPolicies implements PolicyArchive {
  readonly #store: Pick<DocumentStore, 'keepDocument'>;
  /** In the order in which they were put in force. */
  readonly #unkept: PolicyTexts[] = [];
  #keeping: Promise<void> | undefined;

  constructor(store: Pick<DocumentStore, 'keepDocument'>) {
    this.#store = store;
  }

  /** Adds texts that are now in force. They are stored at once if possible, otherwise by the next write. */
  add(texts: PolicyTexts): void {
    this.#unkept.push(texts);
    // The next write tries again, and gets the error.
    this.kept()?.catch(() => undefined);
  }

  kept(): Promise<void> | undefined {
    if (this.#unkept.length === 0) return undefined;
    this.#keeping ??= this.#keepEach().finally(() => {
      this.#keeping = undefined;
    });
    return this.#keeping;
  }

  async #keepEach(): Promise<void> {
    for (let texts = this.#unkept[0]; texts !== undefined; texts = this.#unkept[0]) {
      await this.#store.keepDocument(policyDocument(texts));
      this.#unkept.shift();
    }
  }
}
