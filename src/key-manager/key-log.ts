// Reads and appends the entries about keys. The store is not trusted: an entry counts only after it was proven to be in the signed tree.

import type { Ledger, LedgerRecord } from '../ledger/index.ts';
import { asKeyCandidate, type KeyEntry, type KeyStatement, readKeyEntry } from './key-entry.ts';
import type { KeyHistory } from './key-history.ts';
import { keyEntriesFrom } from './key-pages.ts';
import { findStart, relevantAmong } from './key-start.ts';
import type { KeyRecord } from './key-states.ts';
import { entriesOf, proven, rootEntries } from './past-keys.ts';

export class KeyLog {
  readonly #ledger: Ledger;
  readonly #history: KeyHistory;
  readonly #onEntry: (entry: KeyEntry, fault: string | undefined) => void;
  #next = 0;
  /** Whether every entry is read from the first one on, so that the history has each key that an entry may be about. */
  #isWhole = false;
  #reading: Promise<unknown> = Promise.resolve();

  /** `history` gets every entry that `refresh` finds. */
  constructor(ledger: Ledger, history: KeyHistory, onEntry: (entry: KeyEntry, fault: string | undefined) => void) {
    this.#ledger = ledger;
    this.#history = history;
    this.#onEntry = onEntry;
  }

  /**
   * Reads everything that can still matter: every root key, and the delegated keys whose last token may be valid; `retentionMs` is how
   * long that may be after their end. Returns why all entries had to be read, if they had to.
   */
  async begin(retentionMs: number, nowMs: number): Promise<string | undefined> {
    if (this.#ledger.isDamaged) return this.#beginWithAll();
    const start = await findStart(this.#ledger, retentionMs, nowMs);
    for (const entry of await rootEntries(this.#ledger, start.index)) this.#take(entry);
    this.#next = start.index;
    const isHeld = (kid: string) => this.#history.get(kid) !== undefined;
    await this.#readOn((records) => relevantAmong(records, retentionMs, nowMs, isHeld));
    return 'fault' in start ? start.fault : undefined;
  }

  /** Skipped entries are found later through indexes, and a damaged index may lack a revocation. */
  async #beginWithAll(): Promise<string> {
    this.#isWhole = true;
    try {
      await this.#readOn((records) => records);
    } finally {
      this.#isWhole = false;
    }
    return 'damage of the ledger is known';
  }

  /** Reads new entries. LEDGER_UNAVAILABLE or LEDGER_CORRUPT leave the rest for the next call. */
  refresh(): Promise<void> {
    // One call after another, so that no entry is added twice. An error only affects its own caller.
    const reading = this.#reading.then(() => this.#readOn((records) => records));
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  /**
   * Records a change of state and reads it back. Returns whether this call made it: false if it had been made before, by any process.
   * LEDGER_UNAVAILABLE leaves the outcome unknown.
   */
  async record(statement: KeyStatement, provenance?: Uint8Array): Promise<boolean> {
    const { outcome } = await this.#ledger.append(asKeyCandidate(statement, provenance));
    await this.refresh();
    return outcome === 'added';
  }

  /** A key of this service, also one that was removed from the history, as far as this process has read. */
  async findPastKey(kid: string): Promise<KeyRecord | undefined> {
    return this.#history.get(kid) ?? this.#history.past(await entriesOf(this.#ledger, kid, this.#next));
  }

  /** Announced keys from an entry on, at most `limit`, and the entry at which to continue; undefined after the last one. */
  async announcedSince(startIndex: number, limit: number): Promise<KeyPage> {
    const { records, next, isLast } = await keyEntriesFrom(this.#ledger, startIndex, false);
    const entries = records.map(readKeyEntry).filter(({ state, index }) => state === 'announced' && index < this.#next);
    const keys: KeyRecord[] = [];
    for (const { kid, index } of entries) {
      if (keys.length === limit) return { keys, next: index };
      const key = await this.findPastKey(kid);
      // An entry that violates a rule creates no key; a later entry may be the valid one.
      if (key?.announcedIndex === index) keys.push(key);
    }
    return { keys, next: isLast ? undefined : next };
  }

  async #readOn(select: Select): Promise<void> {
    for (;;) {
      const { records, next, isLast } = await keyEntriesFrom(this.#ledger, this.#next, true);
      const selected = select(records);
      try {
        await this.#takeEach(await proven(this.#ledger, selected));
      } catch {
        // Entries before the one that cannot be proven still count, because a revocation must not wait for a repair.
        for (const record of selected) {
          if (record.index >= this.#next) await this.#takeEach(await proven(this.#ledger, [record]));
        }
      }
      this.#next = next;
      if (isLast) return;
    }
  }

  async #takeEach(entries: readonly KeyEntry[]): Promise<void> {
    for (const entry of entries) {
      await this.#restore(entry);
      this.#take(entry);
      this.#next = entry.index + 1;
    }
  }

  /** The change may be of a removed key, and a root key must not have been announced as another kind before. */
  async #restore({ kid, state, generation, index }: KeyEntry): Promise<void> {
    const mayBeKnown = !this.#isWhole && (state !== 'announced' || generation !== undefined);
    if (!mayBeKnown || this.#history.get(kid) !== undefined) return;
    const key = this.#history.past(await entriesOf(this.#ledger, kid, index));
    if (key !== undefined) this.#history.restore(key);
  }

  #take(entry: KeyEntry): void {
    this.#onEntry(entry, this.#history.add(entry));
  }
}

/** Which records of a page need a proof. */
type Select = (records: readonly LedgerRecord[]) => readonly LedgerRecord[];

/** A page of keys, and where the next page starts. */
export interface KeyPage {
  readonly keys: readonly KeyRecord[];
  /** Undefined: there are no more. */
  readonly next: number | undefined;
}

/** Which keys to list. */
export interface KeyQuery {
  /** 0, or the value from the previous page. */
  readonly startIndex: number;
  readonly limit: number;
  readonly past: boolean;
}
