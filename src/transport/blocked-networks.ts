// Addresses that get no TLS handshake for a few seconds, because one of theirs cost far more than others: a handshake is the one thing that a
// peer without an identity can make as expensive as it likes, in one piece. Node asks before it creates a socket.

import { BlockList, type SocketAddress } from 'node:net';
import { networkOf } from '../limits/index.ts';

/** How long, in milliseconds: short, because a load balancer may be one address for many callers. */
const BLOCKED_MS = 5_000;
/** How many networks are kept; the one that was blocked first makes room. */
const MAX_NETWORKS = 1_000;

export class BlockedNetworks extends BlockList {
  readonly #until = new Map<string, number>();
  readonly #onRejected: () => void;
  readonly #now: () => number;

  /** `onRejected` is called for each connection of a blocked network. */
  constructor(onRejected: () => void, now: () => number = () => performance.now()) {
    super();
    this.#onRejected = onRejected;
    this.#now = now;
  }

  get size(): number {
    return this.#until.size;
  }

  block(network: string): void {
    this.#until.delete(network);
    this.#until.set(network, this.#now() + BLOCKED_MS);
    if (this.#until.size <= MAX_NETWORKS) return;
    for (const first of this.#until.keys()) {
      this.#until.delete(first);
      return;
    }
  }

  /** Whether a connection from this address is closed at once. Node's server calls this for each. */
  override check(address: SocketAddress | string): boolean {
    // Nobody is blocked, as a rule, and then nothing is computed.
    if (this.#until.size === 0) return false;
    const network = networkOf(typeof address === 'string' ? address : address.address);
    const until = this.#until.get(network);
    if (until === undefined) return false;
    if (until > this.#now()) {
      this.#onRejected();
      return true;
    }
    this.#until.delete(network);
    return false;
  }
}
