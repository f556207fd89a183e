// Several callers at once, which continue whatever happens until they are stopped.

import { setTimeout as pause } from 'node:timers/promises';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import type { Journal } from './journal.ts';
import { doSomething } from './operations.ts';
import type { Pools } from './pools.ts';

const CHANNELS = 2;
const CALLERS_EACH = 4;
/** Between two calls of one caller: the load is to be mixed, not heavy. */
const REST_MS = 8;
const AFTER_FAILURE_MS = 30;

export class Load {
  readonly #journal: Journal;
  readonly #pools: Pools;
  #clients: readonly GrpcClient[] = [];
  #callers: Promise<unknown> = Promise.resolve();
  #isOver = true;

  constructor(journal: Journal, pools: Pools) {
    this.#journal = journal;
    this.#pools = pools;
  }

  start(address: string): void {
    this.#isOver = false;
    this.#clients = Array.from({ length: CHANNELS }, () => dial(address));
    const callers = this.#clients.flatMap((client) => Array.from({ length: CALLERS_EACH }, () => this.#goOn(client)));
    this.#callers = Promise.all(callers);
  }

  /** Waits for the calls that are under way. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#callers;
    for (const client of this.#clients) client[Symbol.dispose]();
    this.#clients = [];
  }

  async #goOn(client: GrpcClient): Promise<void> {
    const caller = { client, journal: this.#journal, pools: this.#pools };
    while (!this.#isOver) {
      try {
        await doSomething(caller);
        await pause(REST_MS);
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        await pause(AFTER_FAILURE_MS);
      }
    }
  }
}
