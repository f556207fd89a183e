// The marks of a ledger, as graphs ask for them.

import { KnownTaints, type MarkSet, type Marks } from '../dag/index.ts';
import type { Ledger } from '../ledger/index.ts';
import { nextSlice } from '../pace.ts';
import { MARK_SCOPE } from './marks.ts';
import { demandSound } from './sound-records.ts';

/** Marks that are read in one go. */
const MARKS_PER_PAGE = 200;

const BOOKS = new WeakMap<Ledger, MarkBook>();

/** The marks of a ledger. Only administrators make them, so they are few, and all of them are kept in memory. */
export function ledgerMarks(ledger: Ledger): Marks {
  let book = BOOKS.get(ledger);
  if (book === undefined) {
    book = new MarkBook(ledger);
    BOOKS.set(ledger, book);
  }
  return book;
}

/** Reads the marks that came since it was asked last, those of other processes too: one seek where there are none. */
class MarkBook implements Marks {
  readonly #ledger: Ledger;
  readonly #entries = new Map<string, number>();
  #known = new KnownTaints();
  #next = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  async current(): Promise<MarkSet> {
    for (let isFull = true; isFull; ) {
      const query = { scope: MARK_SCOPE, startIndex: this.#next, limit: MARKS_PER_PAGE, withContent: false };
      const records = await this.#ledger.list(query);
      // A mark that is damaged would make what it taints look sound.
      await demandSound(this.#ledger, records);
      for (const { name, index } of records) this.#add(name, index);
      isFull = records.length === MARKS_PER_PAGE;
      if (isFull) await nextSlice();
    }
    const entries = this.#entries;
    return { size: entries.size, entryOf: (name) => entries.get(name), known: this.#known };
  }

  /** Calls that read at the same time add the same marks. */
  #add(name: string, index: number): void {
    if (index < this.#next) return;
    this.#next = index + 1;
    this.#entries.set(name, index);
    this.#known = new KnownTaints();
  }
}
