// One budget of bytes for the whole process: incomplete bodies and unread responses. Each account may use a share of it. When it is
// exhausted, the oldest reservation is evicted.

import type { Account } from './accounts.ts';

export interface MemoryLimits {
  /** All reserved bytes. */
  readonly totalBytes: number;
  /** Of one account. */
  readonly accountBytes: number;
}

/** Bytes that belong to one request or one response. Every reservation is closed once. */
export interface Reservation {
  /** Reserves more bytes. Returns whether there is room; if not, the holder must stop. */
  grow(bytes: number): boolean;
  /** Frees some of the bytes. */
  shrink(bytes: number): void;
  /** A pinned reservation is not evicted, because its call is running. Its age starts again when it is unpinned. */
  pin(isPinned: boolean): void;
  /** Frees all bytes, permanently: a closed reservation does not grow again. */
  close(): void;
}

/** Holders of at most this many bytes may also use a share of the budget that larger ones may not use. */
const SMALL_BYTES = 64 * 1024;
const SHARE_OF_SMALL = 1 / 8;
/** Younger reservations are not evicted, because they may end soon. */
const EVICTABLE_AFTER_MS = 250;

export class MemoryBudget {
  readonly #limits: MemoryLimits;
  readonly #now: () => number;
  readonly #onRejected: () => void;
  /** Oldest first. Reservations without bytes are not in it. */
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

  /** Opens an empty reservation. `evict` ends the holder and closes the reservation. */
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
    // Nothing would free it.
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
    // The set is ordered by age.
    if (this.#holders.delete(holder)) this.#holders.add(holder);
  }

  /** Evicts the oldest reservations until at most `most` bytes are used. */
  #makeRoom(wanting: Holder, most: number): boolean {
    if (this.#usedBytes <= most) return true;
    const before = this.#now() - EVICTABLE_AFTER_MS;
    for (const holder of this.#holders) {
      if (holder.since > before) return false;
      if (holder === wanting || holder.isPinned) continue;
      this.#onRejected();
      holder.evict();
      // It counts as closed even if `evict` did not close it.
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
