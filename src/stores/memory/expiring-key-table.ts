// A table of expiring keys in bounded memory, for the replay guard and the idempotency store.

import type { ExpiringKeys, KeyClaim, StoredValue } from '../expiring-keys.ts';

interface Row extends StoredValue {
  readonly key: string;
  /** Seconds since the epoch; the row is valid up to and including this second. */
  readonly keepUntil: number;
}

/** Each call deletes two expired rows, which keeps up with any rate of new rows at a constant cost. */
const FORGET_PER_CALL = 2;

export interface TableOptions {
  /** The maximum number of rows. */
  readonly capacity: number;
  /** The maximum size of all contents together. Beyond it a row is stored without its content. Default: no limit. */
  readonly contentCharacters?: number;
  /** Returns the error for a new key if the table is full. */
  readonly full: () => Error;
  /** Returns the error for calls after `close`. */
  readonly closed: () => Error;
}

/** Rows by key, and a heap of them by expiry. An unexpired row is never deleted to make room. */
export class ExpiringKeyTable implements ExpiringKeys {
  readonly #options: TableOptions;
  #isClosed = false;
  /** Characters of content that still fit. */
  #room: number;
  readonly #rows = new Map<string, Row>();
  readonly #heap: Row[] = [];

  constructor(options: TableOptions) {
    const { capacity, contentCharacters = Number.POSITIVE_INFINITY } = options;
    if (!Number.isSafeInteger(capacity) || capacity < 1) throw new TypeError('The capacity is a whole number above 0.');
    this.#options = options;
    this.#room = contentCharacters;
  }

  async get(key: Uint8Array, now: number): Promise<StoredValue | undefined> {
    this.#rejectIfClosed();
    return this.#find(key, now);
  }

  async putIfAbsent({ key, value, keepUntil, now }: KeyClaim): Promise<StoredValue | undefined> {
    this.#rejectIfClosed();
    const holder = this.#find(key, now);
    if (holder !== undefined) return holder;
    this.#drop(this.#rows.get(nameOf(key)));
    for (let count = 0; count < FORGET_PER_CALL && this.#forgetOne(now); count++);
    const { capacity, full } = this.#options;
    while (this.#rows.size >= capacity) if (!this.#forgetOne(now)) throw full();
    const content = value.content.length <= this.#room ? value.content : '';
    const row = { key: nameOf(key), digest: Uint8Array.from(value.digest), label: value.label, content, keepUntil };
    this.#room -= content.length;
    this.#rows.set(row.key, row);
    this.#push(row);
    return undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #rejectIfClosed(): void {
    if (this.#isClosed) throw this.#options.closed();
  }

  #find(key: Uint8Array, now: number): StoredValue | undefined {
    const row = this.#rows.get(nameOf(key));
    return row !== undefined && row.keepUntil >= now ? row : undefined;
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
