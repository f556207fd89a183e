// Limits the control frames and resets of a connection: frames that no call needs, and calls that are started in order to be cancelled.
// Each response adds to the budget, so that an honest peer does not exhaust it.

import { calmDown } from './connection-error.ts';
import { type Allowance, TokenBucket } from './token-bucket.ts';

export interface AbuseBudgetOptions {
  /** Frames that no call needs: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, small or empty DATA, unknown ones; and each of the small pieces in which a frame arrives. */
  readonly controlFrames: Allowance;
  /** Streams that end by a reset, by the peer or one that the peer causes us to send. */
  readonly resets: Allowance;
}

/** Control frames that each response adds: some clients acknowledge every part of a response, and send a PING as often. */
const FRAMES_PER_ANSWER = 8;
/**
 * Bytes of a response, sent after a WINDOW_UPDATE, that add one control frame. Bytes, not frames, because a peer may widen a window byte
 * by byte.
 */
const BYTES_PER_FRAME = 2_048;
/** The cost of a reset; it is higher if work was started, which cannot be undone. */
const RESET_COST = 1;
const BEGUN_RESET_COST = 2;
/** Each response adds the cost of one reset. */
const ANSWER_EARNS = BEGUN_RESET_COST;
/** Resets of streams older than this, in milliseconds, are not counted: the limit of concurrent streams bounds their rate. */
const LONG_LIVED_MS = 1_000;

export class AbuseBudget {
  readonly #frames: TokenBucket;
  readonly #resets: TokenBucket;
  #sentBytes = 0;

  constructor({ controlFrames, resets }: AbuseBudgetOptions, now: () => number) {
    this.#frames = new TokenBucket(controlFrames, now);
    this.#resets = new TokenBucket(resets, now);
  }

  /** Counts a control frame. Throws ConnectionError if there were too many. */
  spendControlFrame(): void {
    if (!this.#frames.spend()) throw calmDown('too many frames without a use');
  }

  /** Counts pieces of frames as control frames. Returns whether the budget allows them. */
  spendFragments(count: number): boolean {
    return this.#frames.spend(count);
  }

  /** Counts the reset of a stream of this age. Returns whether the budget allows it. */
  spendReset(hadBegun: boolean, livedMs: number): boolean {
    if (livedMs >= LONG_LIVED_MS) return true;
    return this.#resets.spend(hadBegun ? BEGUN_RESET_COST : RESET_COST);
  }

  /** Adds to the budget for a response. */
  answered(): void {
    this.#frames.earn(FRAMES_PER_ANSWER);
    this.#resets.earn(ANSWER_EARNS);
  }

  /** Adds to the budget for bytes that waited for a WINDOW_UPDATE. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
    if (this.#sentBytes < BYTES_PER_FRAME) return;
    this.#frames.earn(Math.floor(this.#sentBytes / BYTES_PER_FRAME));
    this.#sentBytes %= BYTES_PER_FRAME;
  }
}
