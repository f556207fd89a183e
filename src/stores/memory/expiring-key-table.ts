// A table of expiring keys in bounded memory, for the replay guard and the idempotency store.

import type { StoredValue } from '../expiring-keys.ts';

interface Row extends StoredValue {
  readonly key: string;
  /** Seconds since the epoch; the row is valid up to and including this second. */
  readonly keepUntil: number;
}

/** Each call deletes two expired rows, which keeps up with any rate of new rows at a constant cost. */
const FORGET_PER_CALL = 2;

/** Rows by key, and a heap of them by expiry. An unexpired row is never deleted to make room. */
export class ExpiringKeyTable {
  readonly #capacity: number;
  /** Characters of content that still fit. */
  #room: number;
  readonly #rows = new Map<string, Row>();
  readonly #heap: Row[] = [];

  /** Stores at most `capacity` rows. Beyond `contentCharacters` in total, a row is stored without its content. */
  constructor(capacity: number, contentCharacters = Number.POSITIVE_INFINITY) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) throw new TypeError('The capacity is a whole number above 0.');
    this.#capacity = capacity;
    this.#room = contentCharacters;
  }

  /** The value of the key, if its row has not expired at `now`. */
  get(key: Uint8Array, now: number): StoredValue | undefined {
    const row = this.#rows.get(nameOf(key));
    return row !== undefined && row.keepUntil >= now ? row : undefined;
  }

  /** Stores the key unless it exists; then returns the existing row. Throws the error of `full` if the table is full. */
  putIfAbsent(
    key: Uint8Array,
    value: StoredValue,
    keepUntil: number,
    now: number,
    full: () => Error,
  ): StoredValue | undefined {
    const holder = this.get(key, now);
    if (holder !== undefined) return holder;
    this.#drop(this.#rows.get(nameOf(key)));
    for (let count = 0; count < FORGET_PER_CALL && this.#forgetOne(now); count++);
    while (this.#rows.size >= this.#capacity) if (!this.#forgetOne(now)) throw full();
    const content = value.content.length <= this.#room ? value.content : '';
    const row = { key: nameOf(key), digest: Uint8Array.from(value.digest), label: value.label, content, keepUntil };
    this.#room -= content.length;
    this.#rows.set(row.key, row);
    this.#push(row);
    return undefined;
  }

  /** Removes the oldest row from the heap if it has expired; false if it has not. */
  #forgetOne(now: number): boolean {
    const oldest = this.#heap[0];
    if (oldest === undefined || oldest.keepUntil >= now) return false;
    // A key that was stored again after its expiry has a newer row; only the expired row may be deleted.
    if (this.#rows.get(oldest.key) === oldest) this.#drop(oldest);
    this.#pop();
    return true;
  }

  #drop(row: Row | undefined): void {
    if (row === undefined) return;
    this.#rows.delete(row.key);
    this.#room += row.content.length;
  }

  #push(row: Row): void {
    const heap = this.#heap;
    let place = heap.push(row) - 1;
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      if (heap[parent]!.keepUntil <= row.keepUntil) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = row;
  }

  #pop(): void {
    const heap = this.#heap;
    const row = heap.pop();
    if (row === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.keepUntil < heap[child]!.keepUntil) child++;
      if (heap[child]!.keepUntil >= row.keepUntil) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = row;
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
