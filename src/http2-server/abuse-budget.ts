// How many control frames and resets a connection may cause: frames that no call needs, and calls that are begun in order to be thrown away. An
// honest peer earns what it spends by the calls that it lets us answer.

import { calmDown } from './connection-error.ts';
import { type Allowance, TokenBucket } from './token-bucket.ts';

export interface AbuseBudgetOptions {
  /** Frames that no call needs: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, small or empty DATA, unknown ones. */
  readonly controlFrames: Allowance;
  /** Streams that end by a reset, of the peer or one that it makes us send. */
  readonly resets: Allowance;
}

/** Some clients acknowledge every part of a response, and measure the line as often. */
const FRAMES_PER_ANSWER = 8;
/** And so many bytes of a response that was waited for. Bytes, not frames: a window may be widened byte by byte. */
const BYTES_PER_FRAME = 2_048;
/** A reset costs this much, and the larger price where the work had begun: that cannot be taken back. */
const RESET_COST = 1;
const BEGUN_RESET_COST = 2;
/** A response pays for the reset of another call. */
const ANSWER_EARNS = BEGUN_RESET_COST;
/** Who cancels what has kept one of its places for so long, in milliseconds, is limited by the number of its places. */
const LONG_LIVED_MS = 1_000;

export class AbuseBudget {
  readonly #frames: TokenBucket;
  readonly #resets: TokenBucket;
  #sentBytes = 0;

  constructor({ controlFrames, resets }: AbuseBudgetOptions, now: () => number) {
    this.#frames = new TokenBucket(controlFrames, now);
    this.#resets = new TokenBucket(resets, now);
  }

  /** A frame that no call needs. Throws ConnectionError where there were too many. */
  spendControlFrame(): void {
    if (!this.#frames.spend()) throw calmDown('too many frames without a use');
  }

  /** A stream was reset that had lived so long. Returns whether that is still bearable. */
  spendReset(hadBegun: boolean, livedMs: number): boolean {
    if (livedMs >= LONG_LIVED_MS) return true;
    return this.#resets.spend(hadBegun ? BEGUN_RESET_COST : RESET_COST);
  }

  /** A call was answered. */
  answered(): void {
    this.#frames.earn(FRAMES_PER_ANSWER);
    this.#resets.earn(ANSWER_EARNS);
  }

  /** So many bytes have left that the peer had to make room for. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
    if (this.#sentBytes < BYTES_PER_FRAME) return;
    this.#frames.earn(Math.floor(this.#sentBytes / BYTES_PER_FRAME));
    this.#sentBytes %= BYTES_PER_FRAME;
  }
}
