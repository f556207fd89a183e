// The entries about keys in the ledger: read as far as they go, and added to. The store is not taken at its word: an
// entry counts only once it is proven to be in the tree that the ledger signed.

import type { Ledger } from '../ledger/index.ts';
import { asKeyCandidate, KEY_SCOPE, type KeyEntry, type KeyStatement, readKeyEntry } from './key-entry.ts';
import type { KeyHistory } from './key-history.ts';

const PAGE = 500;

export class KeyLog {
  readonly #ledger: Ledger;
  readonly #history: KeyHistory;
  readonly #onEntry: (entry: KeyEntry, fault: string | undefined) => void;
  #next = 0;
  #reading: Promise<unknown> = Promise.resolve();

  /** `history` takes every entry that `refresh` finds. */
  constructor(ledger: Ledger, history: KeyHistory, onEntry: (entry: KeyEntry, fault: string | undefined) => void) {
    this.#ledger = ledger;
    this.#history = history;
    this.#onEntry = onEntry;
  }

  /** Reads what has come in since the last time. LEDGER_UNAVAILABLE or LEDGER_CORRUPT leave the rest for the next time. */
  refresh(): Promise<void> {
    // One after the other, so that no entry is taken twice. One that fails fails for its own caller only.
    const reading = this.#reading.then(() => this.#read());
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  /**
   * Records a change of state and takes it in. Answers whether this call made it: false where it had been made before,
   * by whomever. LEDGER_UNAVAILABLE leaves the outcome open.
   */
  async record(statement: KeyStatement, signal?: AbortSignal): Promise<boolean> {
    const { outcome } = await this.#ledger.append(asKeyCandidate(statement), signal);
    await this.refresh();
    return outcome === 'added';
  }

  async #read(): Promise<void> {
    for (;;) {
      const query = { scope: KEY_SCOPE, startIndex: this.#next, limit: PAGE, withContent: true };
      const page = await this.#ledger.list(query);
      for (const record of page) {
        await this.#ledger.receiptFor(record);
        const entry = readKeyEntry(record);
        this.#onEntry(entry, this.#history.add(entry));
        this.#next = record.index + 1;
      }
      if (page.length < PAGE) return;
    }
  }
}
