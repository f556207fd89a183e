// One budget of bytes for the whole process: incomplete bodies and unread responses. Each account and each connection may use
// a share of it. When it is exhausted, the oldest of them is dropped.

import type { Account } from './accounts.ts';

export interface MemoryLimits {
  /** All reserved bytes. */
  readonly totalBytes: number;
  /** By one account. */
  readonly accountBytes: number;
}

/** Bytes that belong to one request or one response. Every reservation is closed once. */
export interface Reservation {
  /** Reserves so many more bytes. Returns whether there is room; if not, the holder must give up. */
  grow(bytes: number): boolean;
  /** Frees so many bytes. */
  shrink(bytes: number): void;
  /**
   * While it is pinned it is not given up for others: what it is for is being worked on. From when that ends it counts as
   * opened then.
   */
  pin(isPinned: boolean): void;
  /** Frees all of them, permanently: what is closed does not grow again. */
  close(): void;
}

/** Holders of at most so many bytes find room in a part of the budget that larger ones may not use, in shares of it. */
const SMALL_BYTES = 64 * 1024;
const SHARE_OF_SMALL = 1 / 8;
/** What is younger is not given up for others: it may be about to end. */
const EVICTABLE_AFTER_MS = 250;

export class MemoryBudget {
  readonly #limits: MemoryLimits;
  readonly #now: () => number;
  readonly #onRejected: () => void;
  /** In the order in which they were opened. Those that hold nothing are not in it. */
  readonly #holders = new Set<Holder>();
  #usedBytes = 0;

  constructor(
    limits: MemoryLimits,
    onRejected: () => void = () => undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#limits = limits;
    this.#now = now;
    this.#onRejected = onRejected;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Opens a reservation of nothing. `evict` ends what holds it, and with that closes it. */
  open(account: Account, evict: () => void): Reservation {
    const holder: Holder = { account, evict, since: this.#now(), bytes: 0, isPinned: false, isClosed: false };
    return {
      grow: (bytes) => this.#grow(holder, bytes),
      shrink: (bytes) => this.#shrink(holder, bytes),
      pin: (isPinned) => this.#pin(holder, isPinned),
      close: () => {
        holder.isClosed = true;
        this.#shrink(holder, holder.bytes);
      },
    };
  }

  #grow(holder: Holder, bytes: number): boolean {
    // Nothing would ever free it.
    if (holder.isClosed) return false;
    const { totalBytes, accountBytes } = this.#limits;
    const isSmall = holder.bytes + bytes <= SMALL_BYTES;
    const mostBytes = isSmall ? totalBytes : totalBytes * (1 - SHARE_OF_SMALL);
    const fits = holder.account.heldBytes + bytes <= accountBytes && this.#makeRoom(holder, mostBytes - bytes);
    if (!fits) {
      this.#onRejected();
      return false;
    }
    if (holder.bytes === 0) this.#holders.add(holder);
    holder.bytes += bytes;
    holder.account.heldBytes += bytes;
    this.#usedBytes += bytes;
    return true;
  }

  #shrink(holder: Holder, bytes: number): void {
    const freed = Math.min(bytes, holder.bytes);
    holder.bytes -= freed;
    holder.account.heldBytes -= freed;
    this.#usedBytes -= freed;
    if (holder.bytes === 0) this.#holders.delete(holder);
  }

  #pin(holder: Holder, isPinned: boolean): void {
    if (holder.isPinned === isPinned) return;
    holder.isPinned = isPinned;
    if (isPinned) return;
    holder.since = this.#now();
    // The order is that of their ages.
    if (this.#holders.delete(holder)) this.#holders.add(holder);
  }

  /** Gives up the oldest holders until no more than `most` bytes are used. */
  #makeRoom(wanting: Holder, most: number): boolean {
    if (this.#usedBytes <= most) return true;
    const before = this.#now() - EVICTABLE_AFTER_MS;
    for (const holder of this.#holders) {
      if (holder.since > before) return false;
      if (holder === wanting || holder.isPinned) continue;
      this.#onRejected();
      holder.evict();
      // Whatever the holder did: it is counted as gone.
      holder.isClosed = true;
      this.#shrink(holder, holder.bytes);
      if (this.#usedBytes <= most) return true;
    }
    return this.#usedBytes <= most;
  }
}

interface Holder {
  readonly account: Account;
  readonly evict: () => void;
  since: number;
  bytes: number;
  isPinned: boolean;
  isClosed: boolean;
}
