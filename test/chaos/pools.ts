// What the callers of a run know: tokens to offer, tasks to follow, calls to repeat. All of it was acknowledged.

import type { Chance } from './chance.ts';

const MOST = 500;

/** Things of one kind; the oldest are forgotten. */
export class Pool<T> {
  readonly #things: T[] = [];
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  add(thing: T): void {
    this.#things.push(thing);
    if (this.#things.length > MOST) this.#things.shift();
  }

  look(): T | undefined {
    return this.#things.length === 0 ? undefined : this.#chance.pick(this.#things);
  }

  take(): T | undefined {
    if (this.#things.length === 0) return undefined;
    return this.#things.splice(this.#chance.below(this.#things.length), 1)[0];
  }

  clear(): void {
    this.#things.length = 0;
  }
}

export interface Task {
  readonly jti: string;
  readonly wid: string;
}

export interface Use {
  readonly token: string;
  /** Under which it was accepted. Undefined where nobody knows whether it was. */
  readonly requestId: string | undefined;
}

export class Pools {
  readonly chance: Chance;
  /** Recorded tasks. */
  readonly tasks: Pool<Task>;
  /** Tokens that no answer says to be recorded; an append of them may have been made all the same. */
  readonly unrecorded: Pool<string>;
  readonly recorded: Pool<string>;
  /** Tokens that were never offered to a verifier. */
  readonly fresh: Pool<string>;
  readonly used: Pool<Use>;
  readonly keyed: Pool<object>;
  /** Entries that a checkpoint has shown. */
  size = 0;

  constructor(chance: Chance) {
    this.chance = chance;
    this.tasks = new Pool(chance);
    this.unrecorded = new Pool(chance);
    this.recorded = new Pool(chance);
    this.fresh = new Pool(chance);
    this.used = new Pool(chance);
    this.keyed = new Pool(chance);
  }

  /** Entries were lost, and the operator has accepted that. Tokens stay tokens, and used ones stay used. */
  forgetEntries(left: number): void {
    this.size = left;
    this.tasks.clear();
    this.recorded.clear();
    this.keyed.clear();
  }
}
