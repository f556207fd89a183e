// When a call that was admitted begins. Few calls begin at once; under load they wait in a fair queue, so that the account
// with little to do is next, however much the others have queued.

import type { Account } from './accounts.ts';
import { FairQueue } from './fair-queue.ts';

/** What one turn of the event loop gives to beginning calls, in milliseconds. */
const TURN_MS = 5;
/** Calls that have begun and not ended: what waits for a commit or a remote signer. Of all accounts, and of one. */
const MAX_BEGUN = 512;
const MAX_ACCOUNT_BEGUN = 256;
/** A call costs as much as this many bytes of request. */
const BYTES_PER_CALL = 1024;

/** Begins a call. Answers false where there is nothing left to begin, because the call has ended while it waited. */
export type Begin = () => boolean;

interface Waiting {
  readonly account: Account;
  readonly begin: Begin;
}

export class CallScheduler {
  readonly #now: () => number;
  readonly #queue = new FairQueue<Waiting>();
  /** Calls of accounts that have as many begun as they may. */
  readonly #parked = new Map<Account, Waiting[]>();
  /** When this turn began its first call; undefined where it has begun none. */
  #turnBegan: number | undefined;
  #begun = 0;
  readonly #endTurn = () => {
    this.#turnBegan = undefined;
    this.#runQueue();
  };

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Calls that wait. */
  get waiting(): number {
    let parked = 0;
    for (const calls of this.#parked.values()) parked += calls.length;
    return this.#queue.size + parked;
  }

  /**
   * Begins a call of so many bytes now, or when it is its turn. What it computes before it first waits counts for the turn.
   * Each call that has begun is ended once. `begin` does not throw; until then it should hold bytes and little else, since the
   * garbage collector moves the objects of all that wait.
   */
  enter(account: Account, bytes: number, begin: Begin): void {
    const cost = 1 + bytes / BYTES_PER_CALL;
    const isFree = this.#queue.size === 0 && this.#hasRoom(account) && this.#spentMs() <= TURN_MS;
    if (!isFree) {
      this.#queue.push(account, cost, { account, begin });
      // Something will run the queue: the end of this turn, or the end of a call.
      this.#spentMs();
      return;
    }
    this.#queue.charge(account, cost);
    this.#begin(account, begin);
  }

  /** A call that had begun has ended. */
  ended(account: Account): void {
    this.#begun--;
    account.begunCalls--;
    const parked = this.#parked.get(account);
    if (parked !== undefined) {
      // It was charged when it was queued first.
      this.#queue.push(account, 0, parked.shift()!);
      if (parked.length === 0) this.#parked.delete(account);
    }
    if (this.#queue.size > 0) this.#spentMs();
  }

  #hasRoom(account: Account): boolean {
    return this.#begun < MAX_BEGUN && account.begunCalls < MAX_ACCOUNT_BEGUN;
  }

  #begin(account: Account, begin: Begin): void {
    // Counted before, since the call may end before `begin` has returned.
    this.#begun++;
    account.begunCalls++;
    if (begin()) return;
    this.#begun--;
    account.begunCalls--;
  }

  #spentMs(): number {
    const time = this.#now();
    if (this.#turnBegan === undefined) {
      this.#turnBegan = time;
      // Runs when the turn has read everything that was there to be read.
      setImmediate(this.#endTurn);
    }
    return time - this.#turnBegan;
  }

  #runQueue(): void {
    while (this.#queue.size > 0 && this.#begun < MAX_BEGUN && this.#spentMs() <= TURN_MS) {
      const next = this.#queue.pop()!;
      if (next.account.begunCalls < MAX_ACCOUNT_BEGUN) this.#begin(next.account, next.begin);
      else this.#park(next);
    }
  }

  #park(call: Waiting): void {
    const parked = this.#parked.get(call.account);
    if (parked === undefined) this.#parked.set(call.account, [call]);
    else parked.push(call);
  }
}
