// The networks of connections. Without identities only the address distinguishes an honest caller from a flood.

/** An IPv4 address, or the first 64 bits of an IPv6 address: one host usually has all addresses below them. */
export function networkOf(address = ''): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address.replace('::ffff:', '');
  const [left = '', right] = address.split('::');
  const groups = left.split(':').filter((group) => group !== '');
  const tail = right === undefined ? [] : right.split(':').filter((group) => group !== '');
  while (right !== undefined && groups.length + tail.length < 8) groups.push('0');
  return [...groups, ...tail].slice(0, 4).join(':');
}

/** How many networks without waiting work keep their virtual finish time: at least half as many, those that were served last. */
const MAX_REMEMBERED = 10_000;

/** A connection, or a caller, with fewer pieces of waiting work has few. */
export const FEW_PIECES = 8;

/** The work of a network that waits. */
interface Waiting {
  /** Connections, or callers, with such work. */
  connections: number;
  pieces: number;
  /** Of the pieces, the first few of each connection: a heavy one adds no more to them than a light one. */
  firstPieces: number;
  /** Set for one without work that is not the one of its network any more. */
  isDropped: boolean;
}

/** For each network, how many of its connections have waiting work, how much, and its virtual finish time. */
export class Networks {
  readonly #waiting = new Map<string, Waiting>();
  /**
   * Of networks that were served lately, and of those before them. Nothing is removed one by one: a map that loses as much as it gains is
   * replaced by V8 again and again, and what it was before stays in the old generation of the heap.
   */
  #finish = new Map<string, number>();
  #earlierFinish = new Map<string, number>();

  /** Kept by the places of the network until it is dropped. */
  waitingIn(network: string): Waiting {
    let waiting = this.#waiting.get(network);
    if (waiting === undefined) {
      if (this.#waiting.size >= MAX_REMEMBERED) this.#dropIdle();
      waiting = { connections: 0, pieces: 0, firstPieces: 0, isDropped: false };
      this.#waiting.set(network, waiting);
    }
    return waiting;
  }

  #dropIdle(): void {
    for (const [network, waiting] of this.#waiting) {
      if (waiting.pieces > 0) continue;
      waiting.isDropped = true;
      this.#waiting.delete(network);
    }
  }

  finish(network: string): number {
    return this.#finish.get(network) ?? this.#earlierFinish.get(network) ?? 0;
  }

  /** Records work of this cost for one of its connections, which could start at `start`. The network finishes at `latest` at most. */
  served(network: string, start: number, cost: number, latest = Number.POSITIVE_INFINITY): void {
    this.#finish.set(network, Math.min(Math.max(start, this.finish(network)) + cost, latest));
    if (this.#finish.size < MAX_REMEMBERED / 2) return;
    this.#earlierFinish = this.#finish;
    this.#finish = new Map();
  }
}

/** The place of a connection in its network. Connections with waiting work divide the share of their network. */
export class Place {
  readonly #networks: Networks;
  readonly #network: string;
  #waitingThere: Waiting | undefined;
  #wants = 0;

  constructor(networks: Networks, network: string) {
    this.#networks = networks;
    this.#network = network;
  }

  /** Counts one more piece of work. */
  enter(): void {
    const waiting = this.#waiting;
    waiting.pieces++;
    if (this.#wants < FEW_PIECES) waiting.firstPieces++;
    if (this.#wants++ === 0) waiting.connections++;
  }

  leave(): void {
    const waiting = this.#waiting;
    waiting.pieces--;
    if (--this.#wants < FEW_PIECES) waiting.firstPieces--;
    if (this.#wants === 0) waiting.connections--;
  }

  /** A map would be searched, and changed, for each piece. */
  get #waiting(): Waiting {
    if (this.#waitingThere?.isDropped !== false) this.#waitingThere = this.#networks.waitingIn(this.#network);
    return this.#waitingThere;
  }

  /** Pieces of waiting work of the whole network. */
  get networkPieces(): number {
    return this.#waiting.pieces;
  }

  /** Of these, the first few of each connection. */
  get networkFirstPieces(): number {
    return this.#waiting.firstPieces;
  }

  /** The virtual finish time of the network. A new connection starts at it, so that reconnecting gains nothing. */
  get finish(): number {
    return this.#networks.finish(this.#network);
  }

  /**
   * Where one that was idle starts, if its own virtual finish time is not later. The number of connections is limited, so they keep their
   * own.
   */
  get finishAfterPause(): number {
    return 0;
  }

  served(start: number, cost: number, latest?: number): void {
    this.#networks.served(this.#network, start, cost, latest);
  }

  /** The connections that divide the share, including this one. */
  get sharers(): number {
    return Math.max(1, this.#waiting.connections);
  }
}

/** How many callers with open calls one network may have before they divide their shares. */
const CALLERS_SHARES = 16;

/**
 * The place of a caller with a name in the network that it first called from. Each has a share of its own, and its own virtual time. But
 * the callers of one network have a limited number of shares together: a party that may give itself names, as with the tokens of
 * an issuer, cannot have as many shares. Where they divide their shares, a caller that was idle starts at the virtual finish time of the
 * network, so that it gains nothing by another name for each call.
 */
export class CallerPlace extends Place {
  override get finish(): number {
    return this.sharers > 1 ? super.finish : 0;
  }

  override get finishAfterPause(): number {
    return this.finish;
  }

  override served(start: number, cost: number): void {
    const { sharers } = this;
    // Not ahead of this caller: others of its network are not to wait for what it has queued.
    if (sharers > 1) super.served(start, cost / CALLERS_SHARES, start + cost * sharers);
  }

  override get sharers(): number {
    return Math.max(1, super.sharers / CALLERS_SHARES);
  }
}
