// Where connections come from. Without identities this is all that tells those who call from those who flood.

/** An IPv4 address, or the 64 bits of an IPv6 address that name a network: one host has all the rest. */
export function networkOf(address = ''): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address.replace('::ffff:', '');
  const [left = '', right] = address.split('::');
  const groups = left.split(':').filter((group) => group !== '');
  const tail = right === undefined ? [] : right.split(':').filter((group) => group !== '');
  while (right !== undefined && groups.length + tail.length < 8) groups.push('0');
  return [...groups, ...tail].slice(0, 4).join(':');
}

/** Networks whose share is remembered while none of their connections wants anything. */
const MAX_REMEMBERED = 10_000;

/** How many connections of each network want something at the moment, and up to which virtual time the network has had its share. */
export class Networks {
  readonly #wanting = new Map<string, number>();
  readonly #finish = new Map<string, number>();

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
    return this.#finish.get(network) ?? 0;
  }

  /** Work of this cost was done for one of its connections, which might have started at `start`. */
  served(network: string, start: number, cost: number): void {
    const finish = Math.max(start, this.finish(network)) + cost;
    // Behind those that have not been served for longer.
    this.#finish.delete(network);
    this.#finish.set(network, finish);
    if (this.#finish.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#finish.keys()) {
      this.#finish.delete(oldest);
      return;
    }
  }
}

/** The place of a connection in its network: it counts there while it wants something, and divides one share with those that do too. */
export class Place {
  readonly #networks: Networks;
  readonly #network: string;
  #wants = 0;

  constructor(networks: Networks, network: string) {
    this.#networks = networks;
    this.#network = network;
  }

  /** It wants one thing more. */
  enter(): void {
    if (this.#wants++ === 0) this.#networks.enter(this.#network);
  }

  leave(): void {
    if (--this.#wants === 0) this.#networks.leave(this.#network);
  }

  /** Up to which virtual time its network has had its share: a new connection begins there, so that to connect anew gains nothing. */
  get finish(): number {
    return this.#networks.finish(this.#network);
  }

  served(start: number, cost: number): void {
    this.#networks.served(this.#network, start, cost);
  }

  /** The connections that divide the share, this one included. */
  get sharers(): number {
    return Math.max(1, this.#networks.wanting(this.#network));
  }
}
