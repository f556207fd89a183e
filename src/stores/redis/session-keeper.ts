// Keeps a session open: while there is none, calls are rejected at once, and a new one is opened in the background.

import { EctError, reject } from '../../errors.ts';
import { translated, UnfitRedis } from './failures.ts';
import type { RedisSession } from './session.ts';

/** Called synchronously. An implementation must not throw or block. */
export interface RedisWatch {
  /** A session was opened. `begun`: since when Redis knows which tokens were used; undefined: since always. */
  up(found: { readonly warnings: readonly string[]; readonly begun: number | undefined }): void;
  /** There is no session, for this reason. Called once until there is one again. */
  down(failure: EctError): void;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** After a session of this length, the next attempt is made at once. */
const GOOD_SESSION_MS = 5_000;

export class SessionKeeper {
  readonly #open: () => Promise<RedisSession>;
  readonly #watch: RedisWatch;
  readonly #closing = Promise.withResolvers<void>();
  #session: RedisSession | undefined;
  #failure: EctError | undefined;
  #isClosing = false;
  #keeping: Promise<void> | undefined;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(open: () => Promise<RedisSession>, watch: RedisWatch) {
    this.#open = open;
    this.#watch = watch;
  }

  /**
   * Opens the first session. Throws UnfitRedis if an operator must act first. If Redis is unavailable, opening is repeated in the
   * background.
   */
  async start(): Promise<void> {
    try {
      this.#take(await this.#open());
    } catch (error) {
      if (error instanceof UnfitRedis) throw error;
      this.#lose(error);
    }
    this.#keeping = this.#keep();
  }

  isUp(): boolean {
    return this.#session !== undefined;
  }

  /** Returns the open session. Throws EctError at once if there is none. */
  current(): RedisSession {
    if (this.#session !== undefined) return this.#session;
    throw this.#failure ?? new EctError(reject('REPLAY_GUARD_UNAVAILABLE', 'The replay guard is closed.'));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#failure = undefined;
    this.#closing.resolve();
    this.#session?.end(new UnfitRedis('The replay guard is closed.'));
    this.#session = undefined;
    await this.#keeping;
  }

  async #keep(): Promise<void> {
    while (!this.#isClosing) {
      if (this.#session !== undefined) {
        const openedAt = performance.now();
        const reason = await this.#session.over;
        if (this.#isClosing) return;
        if (performance.now() - openedAt >= GOOD_SESSION_MS) this.#pauseMs = FIRST_PAUSE_MS;
        this.#lose(reason);
      }
      await this.#pause();
      if (this.#isClosing) return;
      try {
        const session = await this.#open();
        if (this.#isClosing) session.end(new UnfitRedis('The replay guard is closed.'));
        else this.#take(session);
      } catch (error) {
        this.#lose(error);
      }
    }
  }

  #take(session: RedisSession): void {
    this.#session = session;
    this.#failure = undefined;
    this.#watch.up(session);
  }

  #lose(error: unknown): void {
    const isNews = this.#failure === undefined;
    const failure = translated(error);
    this.#session = undefined;
    // An error that does not come from Redis is a bug, and is thrown as one.
    this.#failure =
      failure instanceof EctError
        ? failure
        : new EctError(reject('REPLAY_GUARD_UNAVAILABLE', 'Redis cannot be used.'), { cause: failure });
    if (isNews) this.#watch.down(this.#failure);
  }

  /** The pause doubles after each failure, and has a random part that differs between replicas. */
  async #pause(): Promise<void> {
    const pauseMs = this.#pauseMs * (0.5 + Math.random() / 2);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, pauseMs);
    await Promise.race([promise, this.#closing.promise]);
    clearTimeout(timer);
  }
}
