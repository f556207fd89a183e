// Writes that share a transaction, so that one sync of the disk serves them all.

import type { SqliteDatabase } from './database.ts';

interface Waiting {
  readonly run: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** How long a write for which no caller waits may wait for other writes, in milliseconds. */
const LATER_MS = 20;

/** Those that arrive in the same turn of the event loop, or while a transaction is under way, share the next one. */
export class WriteGroup {
  readonly #database: SqliteDatabase;
  readonly #onBegin: () => void;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `onBegin` is called at the beginning of each transaction. */
  constructor(database: SqliteDatabase, onBegin: () => void) {
    this.#database = database;
    this.#onBegin = onBegin;
  }

  /** Runs `run` in a transaction, and returns what it returns when that is durable. Whatever it throws undoes the whole group. */
  soon<T>(run: () => T): Promise<T> {
    const result = this.#add(run);
    this.#start();
    return result;
  }

  /** The same for what can wait for others. */
  later<T>(run: () => T): Promise<T> {
    const result = this.#add(run);
    this.#timer ??= setTimeout(() => this.#start(), LATER_MS);
    return result;
  }

  /** Writes what waits. */
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
    // One turn of the event loop, so that all who were woken together are gathered.
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
      // The commit point: from here on what the group wrote is durable.
      for (const [place, { resolve }] of group.entries()) resolve(results[place] as never);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
