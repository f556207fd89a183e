// Who pays for what a peer makes the service hold and do. An identified caller has one account over all of its connections;
// where nobody has to prove anything each connection has its own; and where callers must prove who they are, those who did
// not share a single one.

import type { Flow } from './fair-queue.ts';
import { Networks, networkOf, Place } from './networks.ts';
import { ReadFlow } from './read-scheduler.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

/** Calls that were rejected at once. Who has used this up is not read from for a while, or is disconnected. */
const REJECTIONS: Rate = { burst: 1_000, perSecond: 500 };

/** Where the connection of an account stands among those of its network: in the order of calls, and in those of reading. */
export interface Places {
  readonly calls: Place;
  readonly reading: Place;
  readonly bodies: Place;
}

/** What one payer holds at the moment. */
export class Account implements Flow {
  virtualFinish: number;
  /** Virtual finish among those whose bytes wait to be parsed. */
  readonly reading: ReadFlow;
  /** The same among bodies. */
  readonly bodies: ReadFlow;
  /** Calls that were read whole and have not ended. */
  openCalls = 0;
  /** Those of them that have begun. */
  begunCalls = 0;
  /** Those of these that compute much. */
  heavyCalls = 0;
  /** Bytes of requests and responses. */
  heldBytes = 0;
  /** Streams that stay open. */
  streams = 0;
  readonly refusals: TokenBucket;
  readonly #place: Place | undefined;

  /** `places`: of the account of a connection. */
  constructor(nowMs: number, places?: Places) {
    this.refusals = new TokenBucket(REJECTIONS, nowMs);
    this.#place = places?.calls;
    this.virtualFinish = this.#place?.finish ?? 0;
    this.reading = new ReadFlow(places?.reading);
    this.bodies = new ReadFlow(places?.bodies);
  }

  /** A call counts from now on. Returns whether it is the only one. */
  callOpened(): boolean {
    this.#place?.enter();
    return this.openCalls++ === 0;
  }

  /** Returns whether it was the last one. */
  callEnded(): boolean {
    this.#place?.leave();
    return --this.openCalls === 0;
  }

  /** It was charged this price for work of this cost. */
  served(price: number, cost: number): void {
    this.#place?.served(this.virtualFinish - price, cost);
  }

  /** The accounts with which it divides one share: those connections of its network that have open calls; 1: it has its own. */
  get sharers(): number {
    return this.#place?.sharers ?? 1;
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
  readonly #calling = new Networks();
  readonly #sending = new Networks();
  readonly #uploading = new Networks();
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
      const network = networkOf(connection.remoteAddress);
      account = new Account(this.#now(), {
        calls: new Place(this.#calling, network),
        reading: new Place(this.#sending, network),
        bodies: new Place(this.#uploading, network),
      });
      this.#byConnection.set(connection, account);
    }
    return account;
  }

  #forgetIdle(): void {
    for (const [id, account] of this.#byCaller) if (account.isIdle) this.#byCaller.delete(id);
  }
}
