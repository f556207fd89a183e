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

/** How many accounts of each network have open calls. */
export class Networks {
  readonly #busy = new Map<string, number>();

  busy(network: string): number {
    return this.#busy.get(network) ?? 0;
  }

  enter(network: string): void {
    this.#busy.set(network, this.busy(network) + 1);
  }

  leave(network: string): void {
    const left = this.busy(network) - 1;
    if (left > 0) this.#busy.set(network, left);
    else this.#busy.delete(network);
  }
}
