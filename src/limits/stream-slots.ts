// Streams that stay open for as long as their caller likes (health watches, reflection): so many on a connection, and so many
// in all.

export interface StreamLimits {
  readonly maxStreams: number;
  readonly maxPerConnection: number;
}

export class StreamSlots {
  readonly #limits: StreamLimits;
  readonly #byConnection = new Map<object, number>();
  #used = 0;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  get used(): number {
    return this.#used;
  }

  /** Takes a slot. Answers how it is given back, once; undefined where there is none. */
  take(connection: object): (() => void) | undefined {
    const own = this.#byConnection.get(connection) ?? 0;
    if (own >= this.#limits.maxPerConnection || this.#used >= this.#limits.maxStreams) return undefined;
    this.#used++;
    this.#byConnection.set(connection, own + 1);
    return () => {
      this.#used--;
      const left = this.#byConnection.get(connection)! - 1;
      if (left === 0) this.#byConnection.delete(connection);
      else this.#byConnection.set(connection, left);
    };
  }
}
