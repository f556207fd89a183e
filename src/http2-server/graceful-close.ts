// The end of a connection in two steps (RFC 9113, section 6.8): the peer is told that it will end, and what it sent before it heard
// so is served. PINGs measure when it has heard.
//
// Around the announcement no response is sent. Node's client drops a request that it is about to write when it reads GOAWAY, and
// callers send the next request when they have read a response. The first PING is answered when the last responses were read, the
// second when the event loop of the peer has turned since, so that what followed from them was written.

import { ErrorCode } from './connection-error.ts';
import { FrameType, goAway, writeFrame } from './frames.ts';
import type { WriteQueue } from './write-queue.ts';

const MAX_STREAM_ID = 2 ** 31 - 1;
const QUIET_ROUND_TRIPS = 2;
/** A peer that does not answer PINGs is waited for no longer than this before the announcement, in milliseconds. */
const QUIET_MS = 1_000;

export class GracefulClose {
  readonly #writeQueue: WriteQueue;
  readonly #lastCallMs: number;
  readonly #onEnd: () => void;
  #roundTrips = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onEnd` is called once, when no more streams are to be taken: `lastCallMs` after the announcement where the peer is silent. */
  constructor(writeQueue: WriteQueue, lastCallMs: number, onEnd: () => void) {
    this.#writeQueue = writeQueue;
    this.#lastCallMs = lastCallMs;
    this.#onEnd = onEnd;
  }

  begin(): void {
    if (this.#timer !== undefined) return;
    this.#writeQueue.pauseBodies();
    this.#timer = setTimeout(() => this.#announce(), QUIET_MS);
    this.#ping();
  }

  /** The peer has answered a PING. */
  onPong(payload: Buffer): void {
    if (this.#timer === undefined || payload[0] !== this.#roundTrips) return;
    this.#roundTrips++;
    if (this.#roundTrips < QUIET_ROUND_TRIPS) this.#ping();
    else if (this.#roundTrips === QUIET_ROUND_TRIPS) this.#announce();
    else this.#onEnd();
  }

  /** The connection ends now, whatever was said before. */
  cancel(): void {
    clearTimeout(this.#timer);
  }

  #announce(): void {
    clearTimeout(this.#timer);
    this.#roundTrips = QUIET_ROUND_TRIPS;
    this.#writeQueue.push(goAway(MAX_STREAM_ID, ErrorCode.NO_ERROR));
    this.#ping();
    this.#timer = setTimeout(this.#onEnd, this.#lastCallMs);
    this.#writeQueue.resumeBodies();
  }

  #ping(): void {
    this.#writeQueue.push(writeFrame(FrameType.PING, 0, 0, Buffer.alloc(8, this.#roundTrips)));
  }
}
