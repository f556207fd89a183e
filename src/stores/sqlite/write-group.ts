// Groups writes into transactions, so that one sync makes all of them durable.

import type { SqliteDatabase } from './database.ts';

interface Waiting {
  readonly run: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** How long a write without a waiting caller waits for others, in milliseconds. */
const LATER_MS = 20;

/** Writes that arrive in the same turn of the event loop, or while a transaction runs, share the next one. */
export class WriteGroup {
  readonly #database: SqliteDatabase;
  readonly #onBegin: () => void;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `onBegin` is called at the start of each transaction. */
  constructor(database: SqliteDatabase, onBegin: () => void) {
    this.#database = database;
    this.#onBegin = onBegin;
  }

  /** Runs `run` in a transaction, and returns its result when that is durable. An exception rolls back the whole group. */
  soon<T>(run: () => T): Promise<T> {
    const result = this.#add(run);
    this.#start();
    return result;
  }

  /** The same for a write that can wait for others. */
  later<T>(run: () => T): Promise<T> {
    const result = this.#add(run);
    this.#timer ??= setTimeout(() => this.#start(), LATER_MS);
    return result;
  }

  /** Writes everything that waits. */
  async end(): Promise<void> {
    if (this.#waiting.length > 0) this.#start();
    await this.#running;
  }

  #add<T>(run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ run, resolve, reject });
    });
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running ??= this.#runAll();
  }

  async #runAll(): Promise<void> {
    // Waits one turn of the event loop, so that writes of the same turn share a transaction.
    for (await nextTurn(); this.#waiting.length > 0; await nextTurn()) await this.#runGroup();
    this.#running = undefined;
  }

  async #runGroup(): Promise<void> {
    const group = this.#waiting;
    this.#waiting = [];
    try {
      const results = await this.#database.writeDurably(() => {
        this.#onBegin();
        return group.map(({ run }) => run());
      });
      // The commit point: from here on the writes of the group are durable.
      for (const [place, { resolve }] of group.entries()) resolve(results[place] as never);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
