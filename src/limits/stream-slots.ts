// Limits the streams that stay open for as long as the client likes (health watches, reflection): per connection and in total.

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

  /** Whether a stream of this connection would get a slot now. */
  hasRoom(connection: object): boolean {
    return !this.hasShare(connection) && this.#used < this.#limits.maxStreams;
  }

  /** Whether this connection has as many streams as it may have. */
  hasShare(connection: object): boolean {
    return this.#of(connection) >= this.#limits.maxPerConnection;
  }

  /** Takes a slot. Returns the function that releases it, to be called once; undefined if no slot is free. */
  take(connection: object): (() => void) | undefined {
    if (!this.hasRoom(connection)) return undefined;
    this.#used++;
    this.#byConnection.set(connection, this.#of(connection) + 1);
    return () => {
      this.#used--;
      const left = this.#byConnection.get(connection)! - 1;
      if (left === 0) this.#byConnection.delete(connection);
      else this.#byConnection.set(connection, left);
    };
  }

  #of(connection: object): number {
    return this.#byConnection.get(connection) ?? 0;
  }
}
