// Who pays for what a peer makes the service hold and do. An identified caller has one account over all of its connections;
// where nobody has to prove anything each connection has its own; and where callers must prove who they are, those who did
// not share a single one.

import type { Flow } from './fair-queue.ts';
import { Networks, networkOf } from './networks.ts';
import { ReadingFlow } from './read-scheduler.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

/** Calls that were refused at once. Who has used this up is not read from for a while, or is disconnected. */
const REFUSALS: Rate = { burst: 1_000, perSecond: 500 };

/** The network of a connection, among all. */
export interface Place {
  readonly networks: Networks;
  readonly network: string;
}

/** What one payer holds at the moment. */
export class Account implements Flow {
  virtualFinish = 0;
  /** Virtual finish among those whose bytes wait to be parsed. */
  readonly reading = new ReadingFlow();
  /** Calls that were read whole and have not ended. */
  openCalls = 0;
  /** Those of them that have begun. */
  begunCalls = 0;
  /** Those of these that compute much. */
  heavyCalls = 0;
  /** Bytes of requests and answers. */
  heldBytes = 0;
  /** Streams that stay open. */
  streams = 0;
  readonly refusals: TokenBucket;
  readonly #place: Place | undefined;

  /** `place`: of the account of a connection. */
  constructor(nowMs: number, place?: Place) {
    this.refusals = new TokenBucket(REFUSALS, nowMs);
    this.#place = place;
  }

  /** A call counts from now on. Answers whether it is the only one. */
  callOpened(): boolean {
    if (this.openCalls++ > 0) return false;
    this.#place?.networks.enter(this.#place.network);
    return true;
  }

  /** Answers whether it was the last one. */
  callEnded(): boolean {
    if (--this.openCalls > 0) return false;
    this.#place?.networks.leave(this.#place.network);
    return true;
  }

  /** The accounts with which it divides one share: those connections of its network that have open calls; 1: it has its own. */
  get sharers(): number {
    return this.#place === undefined ? 1 : Math.max(1, this.#place.networks.busy(this.#place.network));
  }

  get isIdle(): boolean {
    return this.openCalls === 0 && this.heldBytes === 0 && this.streams === 0;
  }
}

/** Accounts of callers that are kept though they hold nothing. */
const MAX_IDLE_CALLERS = 10_000;

export class Accounts {
  readonly #byCaller = new Map<string, Account>();
  readonly #byConnection = new WeakMap<object, Account>();
  readonly #networks = new Networks();
  readonly #now: () => number;
  /** Of all connections that had to prove a caller and did not. */
  readonly unidentified: Account;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.unidentified = new Account(now());
  }

  ofCaller(id: string): Account {
    let account = this.#byCaller.get(id);
    if (account === undefined) {
      account = new Account(this.#now());
      if (this.#byCaller.size >= MAX_IDLE_CALLERS) this.#forgetIdle();
      this.#byCaller.set(id, account);
    }
    return account;
  }

  ofConnection(connection: { readonly remoteAddress?: string | undefined }): Account {
    let account = this.#byConnection.get(connection);
    if (account === undefined) {
      account = new Account(this.#now(), { networks: this.#networks, network: networkOf(connection.remoteAddress) });
      this.#byConnection.set(connection, account);
    }
    return account;
  }

  #forgetIdle(): void {
    for (const [id, account] of this.#byCaller) if (account.isIdle) this.#byCaller.delete(id);
  }
}
