// When a call that was admitted begins. Few calls begin at once; under load they wait in a fair queue, so that the account
// with little to do is next, however much the others have queued.

import type { Account } from './accounts.ts';
import { CostEstimate } from './cost-estimate.ts';
import { FairQueue } from './fair-queue.ts';
import { Turn } from './turn.ts';

/** What one turn of the event loop gives to beginning calls, in milliseconds. */
const TURN_MS = 2;
/** Calls that have begun and not ended: what waits for a commit or a remote signer. Of all accounts, and of one. */
const MAX_BEGUN = 512;
const MAX_ACCOUNT_BEGUN = 256;
/** An account with fewer never waits for those of others to end. */
const LIGHT_BEGUN = 4;
/**
 * The places of calls that compute much more than others (pages, walks, large requests): each holds what it has read until it is written.
 * Of all, and of one account. While one is free, the next call begins.
 */
const MAX_HEAVY_BEGUN = 8;
const MAX_ACCOUNT_HEAVY_BEGUN = 4;
/** A call takes a place for so many bytes of its request: its message can take ten times the memory. */
const BYTES_PER_PLACE = 512 * 1024;
/** What an account that has been quiet gets before the others, in weights. */
const CREDIT = 20;
/** A call costs as much as this many bytes of request. */
const BYTES_PER_CALL = 1024;

/** Begins a call. Returns false where there is nothing left to begin, because the call has ended while it waited. */
export type Begin = () => boolean;

/** How much a call is expected to compute. */
export interface Load {
  /** Of its method, relative to a small call. */
  readonly weight: number;
  /** Of its request. */
  readonly bytes: number;
}

interface Waiting {
  readonly account: Account;
  readonly cost: number;
  /** What the account pays for it in the fair order: connections without identity of one network have one share together. */
  readonly price: number;
  /** Places of a heavy call; 0: it is not heavy. */
  readonly places: number;
  readonly begin: Begin;
}

export class CallScheduler {
  readonly #queue = new FairQueue<Waiting>(CREDIT);
  /** Calls of accounts that have as many begun as they may. */
  readonly #parked = new Map<Account, Waiting[]>();
  /** Heavy calls while as many have begun as may: one of each account in turn. */
  readonly #heavy = new Map<Account, Waiting[]>();
  /** Of the heavy calls that waited, those that are in the queue again: one of an account, and no more than there are places. */
  readonly #woken = new Map<Account, Waiting>();
  readonly #turn: Turn;
  #begun = 0;
  #heavyBegun = 0;
  readonly #estimate = new CostEstimate();
  /** Of the calls that this turn has begun. */
  #begunCost = 0;

  constructor(now?: () => number) {
    this.#turn = new Turn((spentMs) => {
      this.#estimate.learn(this.#begunCost, spentMs);
      this.#begunCost = 0;
      this.#runQueue();
    }, now);
  }

  /** Calls that wait. */
  get waiting(): number {
    let waiting = this.#queue.size;
    for (const parked of [this.#parked, this.#heavy]) for (const calls of parked.values()) waiting += calls.length;
    return waiting;
  }

  /**
   * Begins a call of so many bytes now, or when it is its turn. What it computes before it first waits counts for the turn.
   * Each call that has begun is ended once. `begin` does not throw; until then it should hold bytes and little else, since the
   * garbage collector moves the objects of all that wait.
   */
  enter(account: Account, load: Load, begin: Begin): void {
    const cost = load.weight + load.bytes / BYTES_PER_CALL;
    const call = { account, cost, price: cost * account.sharers, places: placesOf(load), begin };
    const isFree = this.#queue.size === 0 && !this.#isParked(call) && this.#hasRoom(account) && this.#hasTime(cost);
    if (!isFree) {
      this.#queue.push(account, call.price, call);
      // Something will run the queue: the end of this turn, or the end of a call.
      this.#turn.spentMs();
      return;
    }
    this.#queue.charge(account, call.price);
    account.served(call.price, cost);
    this.#begin(call);
  }

  /** Charges an account for milliseconds of computing that the weight of its call does not show. */
  charge(account: Account, ms: number): void {
    const cost = this.#estimate.costOf(ms);
    const price = cost * account.sharers;
    this.#queue.charge(account, price);
    account.served(price, cost);
  }

  /** A call of this load that had begun has ended. */
  ended(account: Account, load: Load = SMALL): void {
    this.#ended(account, placesOf(load));
  }

  #ended(account: Account, places: number): void {
    this.#begun--;
    account.begunCalls--;
    if (places > 0) this.#heavyEnded(account, places);
    else if (account.begunCalls === MAX_ACCOUNT_BEGUN - 1) this.#wakeHeavy();
    this.#unpark(this.#parked, account);
    if (this.#queue.size > 0) this.#turn.spentMs();
  }

  #hasRoom(account: Account): boolean {
    if (account.begunCalls < LIGHT_BEGUN) return true;
    return this.#begun < MAX_BEGUN && account.begunCalls < MAX_ACCOUNT_BEGUN;
  }

  #begin({ account, cost, places, begin }: Waiting): void {
    // Counted before, since the call may end before `begin` has returned.
    this.#begun++;
    account.begunCalls++;
    this.#heavyBegun += places;
    account.heavyPlaces += places;
    if (begin()) {
      this.#begunCost += cost;
      return;
    }
    // It has ended while it waited.
    this.#ended(account, places);
  }

  #heavyEnded(account: Account, places: number): void {
    this.#heavyBegun -= places;
    account.heavyPlaces -= places;
    this.#wakeHeavy();
  }

  /** Puts heavy calls that wait back into the queue, for the places that are free. */
  #wakeHeavy(): void {
    for (const [next, rest] of this.#heavy) {
      if (this.#heavyBegun + this.#woken.size >= MAX_HEAVY_BEGUN) return;
      const hasRoom = next.heavyPlaces < MAX_ACCOUNT_HEAVY_BEGUN && next.begunCalls < MAX_ACCOUNT_BEGUN;
      if (!hasRoom || this.#woken.has(next)) continue;
      this.#woken.set(next, rest[0]!);
      this.#unpark(this.#heavy, next);
      // The account goes behind the others.
      if (this.#heavy.delete(next)) this.#heavy.set(next, rest);
    }
  }

  /** Whether it is a woken call, which it is no longer. */
  #takeWoken(call: Waiting): boolean {
    return this.#woken.get(call.account) === call && this.#woken.delete(call.account);
  }

  /** Whether a call of its kind must not begin now, so that it does not stand in the way of others. */
  #isParked({ account, places }: Waiting): boolean {
    if (account.begunCalls >= MAX_ACCOUNT_BEGUN) return true;
    return places > 0 && (this.#heavyBegun >= MAX_HEAVY_BEGUN || account.heavyPlaces >= MAX_ACCOUNT_HEAVY_BEGUN);
  }

  /** What calls compute after their first wait shows only when the turn is over, so it is foreseen by their cost. */
  #hasTime(nextCost: number): boolean {
    if (this.#begunCost > 0 && this.#estimate.ms(this.#begunCost + nextCost) > TURN_MS) return false;
    return this.#turn.spentMs() <= TURN_MS;
  }

  #runQueue(): void {
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      const isParked = this.#isParked(next);
      if (!isParked && !(this.#hasRoom(next.account) && this.#hasTime(next.cost))) return;
      if (isParked) {
        this.#park(this.#queue.withdraw()!);
        continue;
      }
      this.#queue.pop();
      next.account.served(next.price, next.cost);
      const wasWoken = this.#takeWoken(next);
      this.#begin(next);
      // Another one may follow: of this account, or for a place that this one did not need.
      if (wasWoken) this.#wakeHeavy();
    }
  }

  #park(call: Waiting): void {
    const { account } = call;
    const parked = account.begunCalls >= MAX_ACCOUNT_BEGUN ? this.#parked : this.#heavy;
    const calls = parked.get(account);
    const wasWoken = this.#takeWoken(call);
    if (calls === undefined) parked.set(account, [call]);
    // It has waited for longest: behind the others it could wait for ever.
    else if (wasWoken) calls.unshift(call);
    else calls.push(call);
    // The place that it was woken for is for another account.
    if (wasWoken) this.#wakeHeavy();
  }

  /** Puts one of an account back into the queue. It is charged when it begins: free of charge it would go before those that were quiet. */
  #unpark(parked: Map<Account, Waiting[]>, account: Account): void {
    const calls = parked.get(account);
    if (calls === undefined) return;
    const call = calls.shift()!;
    this.#queue.push(account, call.price, call);
    if (calls.length === 0) parked.delete(account);
  }
}

const SMALL: Load = { weight: 1, bytes: 0 };

function placesOf({ weight, bytes }: Load): number {
  return weight > 1 ? Math.max(1, Math.ceil(bytes / BYTES_PER_PLACE)) : 0;
}
