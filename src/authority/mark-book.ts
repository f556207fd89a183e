// The marks of a ledger, for graphs and for the key ring, so that both use the same marks.

import { nextSlice } from '../concurrency/yielder.ts';
import { keyMark, type Mark, type MarkSet, type Marks, TaintCache } from '../dag/index.ts';
import type { KeyRing } from '../keys/index.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import { CertifiedKeys } from './certified-keys.ts';
import type { AuthorityContext } from './context.ts';
import { demandIntact } from './intact-records.ts';
import { readLeaf } from './leaf.ts';
import { MARK_SCOPE, sinceMsOf, subjectOf } from './marks.ts';

/** How many marks are read at once. */
const MARKS_PER_PAGE = 200;

/** The parts of an authority that a mark book needs. */
type World = Pick<AuthorityContext, 'ledger' | 'keys' | 'now'>;

const BOOKS = new WeakMap<KeyRing, MarkBook>();

/** The marks of an authority. Only administrators make them, so they are few, and all of them are in memory. */
export function ledgerMarks({ ledger, keys, now }: World): Marks {
  let book = BOOKS.get(keys);
  if (book === undefined) {
    book = new MarkBook({ ledger, keys, now });
    BOOKS.set(keys, book);
  }
  return book;
}

/** Reads the marks since the last call, including those of other processes; one index lookup if there are none. */
class MarkBook implements Marks {
  readonly #world: World;
  readonly #marks = new Map<string, Mark>();
  /** The marks of root keys, by `kid`. */
  readonly #certified = new Map<string, CertifiedKeys>();
  #known = new TaintCache();
  #next = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async current(): Promise<MarkSet> {
    const { ledger } = this.#world;
    for (let isFull = true; isFull; ) {
      const query = { scope: MARK_SCOPE, startIndex: this.#next, limit: MARKS_PER_PAGE, withContent: false };
      const records = await ledger.list(query);
      // A damaged mark would make the tasks that it taints look sound.
      await demandIntact(ledger, records);
      for (const record of records) await this.#take(record);
      isFull = records.length === MARKS_PER_PAGE;
      if (isFull) await nextSlice();
    }
    await this.#takeCertified();
    const marks = this.#marks;
    return { size: marks.size, markOf: (name) => marks.get(name), known: this.#known };
  }

  /** Concurrent calls share one read. */
  async #take(record: LedgerRecord): Promise<void> {
    const { name, index } = record;
    const leaf = readLeaf(record);
    if (leaf.type !== 'taint') return;
    const subject = subjectOf(leaf);
    if (subject.kind === 'task') {
      if (!this.#marks.has(name)) this.#add(name, { entry: index });
    } else {
      if (!this.#certified.has(subject.kid) && KID.test(subject.kid)) {
        const certified = await CertifiedKeys.of(this.#world.ledger, subject.kid);
        if (certified !== undefined) this.#certified.set(subject.kid, certified);
      }
      this.#compromise(subject.kid, { entry: index, since: Math.floor(sinceMsOf(leaf) / 1000) });
    }
    this.#next = Math.max(this.#next, index + 1);
  }

  async #takeCertified(): Promise<void> {
    for (const [rootKid, certified] of this.#certified) {
      const kids = await certified.read();
      const mark = this.#marks.get(keyMark(rootKid));
      if (mark !== undefined) for (const kid of kids) this.#compromise(kid, mark);
    }
  }

  /** The earliest stated time counts. */
  #compromise(kid: string, mark: Mark): void {
    const name = keyMark(kid);
    const known = this.#marks.get(name);
    const since = mark.since ?? 0;
    if (known !== undefined && (known.since ?? 0) <= since) return;
    this.#add(name, mark);
    // If the clock of this process is late, the key is rejected from now on.
    this.#world.keys.compromise(kid, Math.min(since, this.#world.now()));
  }

  #add(name: string, mark: Mark): void {
    this.#marks.set(name, mark);
    this.#known = new TaintCache();
  }
}

/** Whether a `kid` can be that of a key of this service: a thumbprint. */
const KID = /^[A-Za-z0-9_-]{43}$/;
