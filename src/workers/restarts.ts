// When a dead worker is restarted: immediately if it ran long enough, after growing pauses if it did not, and finally never.

/** After this time the cause of death was not the start. */
const GOOD_LIFE_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** Consecutive deaths of workers after a short life, after which the supervisor ends. */
const SHORT_LIVES = 6;

/** Counts the deaths of all workers of one supervisor. */
export class Restarts {
  #shortLives = 0;

  /** A worker has died after `livedMs`. Returns the pause before the next one is started; undefined: the supervisor ends. */
  afterDeath(livedMs: number): number | undefined {
    this.#shortLives = livedMs < GOOD_LIFE_MS ? this.#shortLives + 1 : 0;
    if (this.#shortLives >= SHORT_LIVES) return undefined;
    return Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, this.#shortLives - 1), LONGEST_PAUSE_MS);
  }
}
