// Accounts count what a peer makes the service hold and compute. An authenticated caller has one account for all its connections. Where
// callers need no identity, each connection has its own account. Where they need one, all connections without an identity share one
// account.

import type { Flow } from './fair-queue.ts';
import { CallerPlace, FEW_PIECES, Networks, networkOf, Place } from './networks.ts';
import { ReadFlow } from './read-scheduler.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

/** Rate of rejected calls. An account that exceeds it is not read from for a while, or its connection is closed. */
const REJECTIONS: Rate = { burst: 1_000, perSecond: 500 };

/** The places of a connection in its network: in the queue of calls and in the queues of reading; of a caller in the first of them. */
export interface Places {
  readonly calls: Place;
  readonly reading?: Place;
  readonly bodies?: Place;
}

/** A connection, of which the address matters. */
interface Connected {
  readonly remoteAddress?: string | undefined;
}

/** What one account uses now. */
export class Account implements Flow {
  virtualFinish: number;
  /** Position in the fair queue of bytes that wait to be parsed. */
  readonly reading: ReadFlow;
  /** Position in the fair queue of request bodies. */
  readonly bodies: ReadFlow;
  /** Complete requests whose calls have not ended. */
  openCalls = 0;
  /** Open calls that were started. */
  begunCalls = 0;
  /** Places of started calls that need much CPU or memory. */
  heavyPlaces = 0;
  /** Bytes of requests and responses. */
  heldBytes = 0;
  /** Streams that are open. */
  streams = 0;
  readonly rejections: TokenBucket;
  readonly #place: Place | undefined;

  /** `places`: of its connection, or of its caller. */
  constructor(nowMs: number, places?: Places) {
    this.rejections = new TokenBucket(REJECTIONS, nowMs);
    this.#place = places?.calls;
    this.virtualFinish = this.#place?.finish ?? 0;
    this.reading = new ReadFlow(places?.reading);
    this.bodies = new ReadFlow(places?.bodies);
  }

  /** Counts a call. Returns whether it is the only open one. */
  callOpened(): boolean {
    this.#place?.enter();
    if (this.openCalls++ > 0) return false;
    this.virtualFinish = Math.max(this.virtualFinish, this.#place?.finishAfterPause ?? 0);
    return true;
  }

  /** Returns whether it was the last open call. */
  callEnded(): boolean {
    this.#place?.leave();
    return --this.openCalls === 0;
  }

  /** Records that the account paid `price` for work of this `cost`. */
  served(price: number, cost: number): void {
    this.#place?.served(this.virtualFinish - price, cost);
  }

  /**
   * How many accounts share one share with this one: the connections of its network that have open calls, or a part of its callers. 1: it
   * has a share of its own.
   */
  get sharers(): number {
    return this.#place?.sharers ?? 1;
  }

  /** Open calls of all accounts of its network. */
  get networkCalls(): number {
    return this.#place?.networkPieces ?? this.openCalls;
  }

  /** Of these, the first few of each account. */
  get networkFirstCalls(): number {
    return this.#place?.networkFirstPieces ?? Math.min(this.openCalls, FEW_PIECES);
  }

  get isIdle(): boolean {
    return this.openCalls === 0 && this.heldBytes === 0 && this.streams === 0;
  }
}

/** How many idle accounts of callers are kept. */
const MAX_IDLE_CALLERS = 10_000;

export class Accounts {
  readonly #byCaller = new Map<string, Account>();
  readonly #byConnection = new WeakMap<object, Account>();
  readonly #callers = new Networks();
  readonly #calling = new Networks();
  readonly #sending = new Networks();
  readonly #uploading = new Networks();
  readonly #encrypted = new Networks();
  readonly #now: () => number;
  /** The account of all connections that need an identity and have none. */
  readonly unidentified: Account;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.unidentified = new Account(now());
  }

  /** `connection`: the one of its call. */
  ofCaller(id: string, { remoteAddress }: Connected): Account {
    let account = this.#byCaller.get(id);
    if (account === undefined) {
      account = new Account(this.#now(), { calls: new CallerPlace(this.#callers, networkOf(remoteAddress)) });
      if (this.#byCaller.size >= MAX_IDLE_CALLERS) this.#forgetIdle();
      this.#byCaller.set(id, account);
    }
    return account;
  }

  ofConnection(connection: Connected): Account {
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

  /** Position of a TLS connection in the fair queue of bytes that wait to be decrypted: before that nobody knows its caller. */
  recordsOf({ remoteAddress }: Connected): ReadFlow {
    return new ReadFlow(new Place(this.#encrypted, networkOf(remoteAddress)));
  }

  #forgetIdle(): void {
    for (const [id, account] of this.#byCaller) if (account.isIdle) this.#byCaller.delete(id);
  }
}
