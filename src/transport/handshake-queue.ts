// How many TLS handshakes of one network are under way. OpenSSL verifies the certificates of a client in one piece, without a call of ours
// before or after it, so what the peers of a network may cost in the same moment is bounded by their number.

import type { TcpSide } from './tls-input.ts';

/** Handshakes of one network at a time. */
const MAX_HANDSHAKES = 4;
/** The same for a network from which a caller with a trusted certificate is connected: it may be one address for many. */
const MAX_TRUSTED_HANDSHAKES = 16;
/** A handshake that takes longer than this, in milliseconds, is closed if others of its network wait. */
const MAX_STALLED_MS = 1_000;
const INTERVAL_MS = 100;

interface Waiting {
  readonly tcp: TcpSide;
  readonly sinceMs: number;
  readonly start: () => void;
}

interface Network {
  /** Oldest first, with the time of their start. */
  readonly handshakes: Map<TcpSide, number>;
  /** Oldest first. Closed ones are left out later. */
  waiting: Waiting[];
}

export interface HandshakeQueueOptions {
  /** The longest wait, in milliseconds. The connection is closed then. */
  readonly maxWaitMs: number;
  /** Whether a caller with a trusted certificate is connected from the network. */
  readonly isTrusted: (network: string) => boolean;
  /** A connection was closed after that wait. */
  readonly onLate: () => void;
  readonly now?: () => number;
}

export class HandshakeQueue {
  readonly #options: HandshakeQueueOptions;
  readonly #now: () => number;
  readonly #networks = new Map<string, Network>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: HandshakeQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#timer = setInterval(() => this.check(), INTERVAL_MS).unref();
  }

  /** Networks with handshakes. */
  get size(): number {
    return this.#networks.size;
  }

  /** Calls `start` at once, or when others of the network have ended. The socket is not read until then. */
  enter(network: string, tcp: TcpSide, start: () => void): void {
    let entry = this.#networks.get(network);
    if (entry === undefined) {
      entry = { handshakes: new Map(), waiting: [] };
      this.#networks.set(network, entry);
    }
    entry.waiting.push({ tcp, sinceMs: this.#now(), start });
    this.#startNext(network, entry);
  }

  /** A handshake has ended, or its connection is closed. */
  leave(network: string, tcp: TcpSide): void {
    const entry = this.#networks.get(network);
    if (entry?.handshakes.delete(tcp) !== true) return;
    this.#startNext(network, entry);
  }

  /** Closes every connection of the network that has not completed its handshake. */
  closeAll(network: string): void {
    const entry = this.#networks.get(network);
    if (entry === undefined) return;
    const { waiting } = entry;
    entry.waiting = [];
    for (const { tcp } of waiting) tcp.destroy();
    for (const tcp of entry.handshakes.keys()) tcp.destroy();
  }

  check(): void {
    const now = this.#now();
    for (const entry of this.#networks.values()) {
      const { maxWaitMs, onLate } = this.#options;
      entry.waiting = entry.waiting.filter(({ tcp, sinceMs }) => {
        if (tcp.destroyed || now - sinceMs < maxWaitMs) return !tcp.destroyed;
        tcp.destroy();
        onLate();
        return false;
      });
      let others = entry.waiting.length;
      for (const [tcp, sinceMs] of entry.handshakes) {
        if (others-- <= 0 || now - sinceMs < MAX_STALLED_MS) break;
        tcp.destroy();
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** The newest first: if there are more than can be served, some are served in time. */
  #startNext(network: string, { handshakes, waiting }: Network): void {
    const most = this.#options.isTrusted(network) ? MAX_TRUSTED_HANDSHAKES : MAX_HANDSHAKES;
    while (handshakes.size < most) {
      const next = waiting.pop();
      if (next === undefined) break;
      if (next.tcp.destroyed) continue;
      handshakes.set(next.tcp, this.#now());
      next.start();
    }
    if (handshakes.size === 0 && waiting.length === 0) this.#networks.delete(network);
  }
}
