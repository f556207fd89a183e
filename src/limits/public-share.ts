// Public requests, which need no identity (health, reflection, the key set, metrics), have a limited share of the CPU, and each
// connection has a rate limit. The first few requests of a connection are always answered, because a probe opens a connection for one
// request.

import { type Rate, TokenBucket } from './token-bucket.ts';

/** Requests of one connection. */
export const CONNECTION_RATE: Rate = { burst: 1_000, perSecond: 100 };
/** Milliseconds of CPU time for all connections: a fifth of a core. */
const CPU_RATE: Rate = { burst: 200, perSecond: 200 };
const ALWAYS_ANSWERED = 3;

/** The measured cost of a public request, in milliseconds; an estimate is enough. */
export const PUBLIC_COST_MS = { unary: 0.05, router: 0.3, page: 0.2 } as const;

interface Connection {
  readonly rate: TokenBucket;
  asked: number;
  /** Whether its last request exceeded its own rate. */
  isBeyondRate: boolean;
}

export class PublicShare {
  readonly #now: () => number;
  readonly #cpu: TokenBucket;
  readonly #connections = new WeakMap<object, Connection>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#cpu = new TokenBucket(CPU_RATE, now());
  }

  /** Whether a public request of this connection is answered. */
  take(connection: object, costMs: number): boolean {
    const now = this.#now();
    let own = this.#connections.get(connection);
    if (own === undefined) {
      own = { rate: new TokenBucket(CONNECTION_RATE, now), asked: 0, isBeyondRate: false };
      this.#connections.set(connection, own);
    }
    if (own.asked < ALWAYS_ANSWERED) {
      own.asked++;
      own.rate.charge(now, 1);
      this.#cpu.charge(now, costMs);
      return true;
    }
    own.isBeyondRate = !own.rate.take(now);
    return !own.isBeyondRate && this.#cpu.take(now, costMs);
  }

  /** Whether the last request of this connection was rejected for its own rate, not for that of all connections. */
  isBeyondRate(connection: object): boolean {
    return this.#connections.get(connection)?.isBeyondRate === true;
  }
}
