// Which connections carry the calls of several callers, through a proxy for example. Nothing that one of these callers does may pause the
// connection of all, or end it.

/** The name of the only caller so far, or SEVERAL. */
type Carried = string | typeof SEVERAL;

const SEVERAL = Symbol('several');

export class CarriedCallers {
  readonly #byConnection = new WeakMap<object, Carried>();

  /**
   * An authenticated caller has made a call on this connection. `peerName`: the name that the connection proves, if it does. A peer that
   * forwards the calls of another one, forwards those of more.
   */
  note(connection: object, name: string, peerName: () => string | undefined): void {
    const known = this.#byConnection.get(connection);
    if (known === name || known === SEVERAL) return;
    const first = known ?? peerName() ?? name;
    this.#byConnection.set(connection, first === name ? name : SEVERAL);
  }

  /** Whether a caller has called on it. */
  hasAny(connection: object): boolean {
    return this.#byConnection.has(connection);
  }

  areSeveral(connection: object): boolean {
    return this.#byConnection.get(connection) === SEVERAL;
  }
}
