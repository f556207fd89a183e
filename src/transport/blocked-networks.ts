// Networks that get no TLS handshake for a while, because what their peers sent below HTTP cost too much: a network without an identity gets
// one percent of the time of the event loop for that. Node asks before it creates a socket.

import { BlockList, type SocketAddress } from 'node:net';
import { networkOf } from '../limits/index.ts';

/** Each millisecond of cost is paid by so many milliseconds of time. */
const TIME_FOR_COST = 100;
/** What a network may owe before it is blocked, in milliseconds: a few costly handshakes are no attack. */
const MAX_OWED_MS = 20 * TIME_FOR_COST;
/** The longest block, in milliseconds: a network may have other callers. */
const MAX_BLOCKED_MS = 60_000;
/** How many networks are kept; the one that was charged first makes room. */
const MAX_NETWORKS = 1_000;

export class BlockedNetworks extends BlockList {
  /** When each network will have paid. */
  readonly #paidAtMs = new Map<string, number>();
  readonly #onRejected: () => void;
  readonly #now: () => number;

  /** `onRejected` is called for each connection of a blocked network. */
  constructor(onRejected: () => void, now: () => number = () => performance.now()) {
    super();
    this.#onRejected = onRejected;
    this.#now = now;
  }

  get size(): number {
    return this.#paidAtMs.size;
  }

  /** Charges a network for `costMs` of computing. Returns whether it is blocked now. */
  charge(network: string, costMs: number): boolean {
    if (costMs <= 0) return false;
    const now = this.#now();
    const owedFrom = Math.max(now, this.#paidAtMs.get(network) ?? now);
    const paidAtMs = Math.min(owedFrom + costMs * TIME_FOR_COST, now + MAX_OWED_MS + MAX_BLOCKED_MS);
    this.#paidAtMs.delete(network);
    this.#paidAtMs.set(network, paidAtMs);
    if (this.#paidAtMs.size > MAX_NETWORKS) this.#paidAtMs.delete(this.#paidAtMs.keys().next().value!);
    return paidAtMs - now > MAX_OWED_MS;
  }

  /** Whether a connection from this address is closed at once. Node's server calls this for each. */
  override check(address: SocketAddress | string): boolean {
    // Nobody owes anything, as a rule, and then nothing is computed.
    if (this.#paidAtMs.size === 0) return false;
    if (!this.isBlocked(networkOf(typeof address === 'string' ? address : address.address))) return false;
    this.#onRejected();
    return true;
  }

  isBlocked(network: string): boolean {
    const owedMs = (this.#paidAtMs.get(network) ?? 0) - this.#now();
    if (owedMs <= 0) this.#paidAtMs.delete(network);
    return owedMs > MAX_OWED_MS;
  }
}
