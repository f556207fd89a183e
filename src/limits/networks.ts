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

/** For each network, how many of its connections have waiting work, and its virtual finish time. */
export class Networks {
  readonly #wanting = new Map<string, number>();
  /**
   * Of networks that were served lately, and of those before them. Nothing is removed one by one: a map that loses as much as it gains is
   * replaced by V8 again and again, and what it was before stays in the old generation of the heap.
   */
  #finish = new Map<string, number>();
  #earlierFinish = new Map<string, number>();

  wanting(network: string): number {
    return this.#wanting.get(network) ?? 0;
  }

  enter(network: string): void {
    this.#wanting.set(network, this.wanting(network) + 1);
  }

  leave(network: string): void {
    const left = this.wanting(network) - 1;
    if (left > 0) this.#wanting.set(network, left);
    else this.#wanting.delete(network);
  }

  finish(network: string): number {
    return this.#finish.get(network) ?? this.#earlierFinish.get(network) ?? 0;
  }

  /** Records work of this cost for one of its connections, which could start at `start`. */
  served(network: string, start: number, cost: number): void {
    this.#finish.set(network, Math.max(start, this.finish(network)) + cost);
    if (this.#finish.size < MAX_REMEMBERED / 2) return;
    this.#earlierFinish = this.#finish;
    this.#finish = new Map();
  }
}

/** The place of a connection in its network. Connections with waiting work divide the share of their network. */
export class Place {
  readonly #networks: Networks;
  readonly #network: string;
  #wants = 0;

  constructor(networks: Networks, network: string) {
    this.#networks = networks;
    this.#network = network;
  }

  /** Counts one more piece of work. */
  enter(): void {
    if (this.#wants++ === 0) this.#networks.enter(this.#network);
  }

  leave(): void {
    if (--this.#wants === 0) this.#networks.leave(this.#network);
  }

  /** The virtual finish time of the network. A new connection starts at it, so that reconnecting gains nothing. */
  get finish(): number {
    return this.#networks.finish(this.#network);
  }

  served(start: number, cost: number): void {
    this.#networks.served(this.#network, start, cost);
  }

  /** The connections that divide the share, including this one. */
  get sharers(): number {
    return Math.max(1, this.#networks.wanting(this.#network));
  }
}
