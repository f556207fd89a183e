// Decides when a dead worker is restarted: at once if it ran long enough; otherwise after growing pauses; after too many short runs
// never.

/** A worker that ran this long did not die because its start failed. */
const GOOD_LIFE_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** After this many consecutive short runs the supervisor exits. */
const SHORT_LIVES = 6;

/** Counts the deaths of all workers of one supervisor. */
export class Restarts {
  #shortLives = 0;

  /**
   * Records that a worker died after `livedMs`. Returns the pause before the restart in milliseconds; undefined: the supervisor exits.
   */
  afterDeath(livedMs: number): number | undefined {
    this.#shortLives = livedMs < GOOD_LIFE_MS ? this.#shortLives + 1 : 0;
    if (this.#shortLives >= SHORT_LIVES) return undefined;
    return Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, this.#shortLives - 1), LONGEST_PAUSE_MS);
  }
}
