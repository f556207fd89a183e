// Which connections carry the calls of several callers, through a proxy for example. Nothing that one of these callers does may pause the
// connection of all, or end it.

/** The name of the only caller so far, or SEVERAL. */
type Carried = string | typeof SEVERAL;

const SEVERAL = Symbol('several');

export class CarriedCallers {
  readonly #byConnection = new WeakMap<object, Carried>();

  /** An authenticated caller has made a call on this connection. */
  note(connection: object, name: string): void {
    const known = this.#byConnection.get(connection);
    if (known === name || known === SEVERAL) return;
    this.#byConnection.set(connection, known === undefined ? name : SEVERAL);
  }

  areSeveral(connection: object): boolean {
    return this.#byConnection.get(connection) === SEVERAL;
  }
}
