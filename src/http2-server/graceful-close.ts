// A graceful shutdown in two steps (RFC 9113, section 6.8): a GOAWAY with the largest stream id, then one with the last stream that is
// served. PINGs measure when the peer has processed the first one.
// Before the first GOAWAY, responses pause for two round trips. Node's client drops a request that it is about to send when it receives
// GOAWAY, and callers often send the next request when they have read a response. The first PING is acknowledged after the last responses
// were read, the second after the event loop of the peer has turned since, so that the requests that followed were sent.

import { ErrorCode } from './connection-error.ts';
import { FrameType, goAway, writeFrame } from './frames.ts';
import type { WriteQueue } from './write-queue.ts';

const MAX_STREAM_ID = 2 ** 31 - 1;
const QUIET_ROUND_TRIPS = 2;
/** The longest wait for PING acknowledgements before the first GOAWAY, in milliseconds. */
const QUIET_MS = 1_000;

export class GracefulClose {
  readonly #writeQueue: WriteQueue;
  readonly #lastCallMs: number;
  readonly #onEnd: () => void;
  #roundTrips = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * `onEnd` is called once, when no more streams are accepted: after the acknowledgement of the PING that follows GOAWAY, or after
   * `lastCallMs`.
   */
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

  /** The peer has acknowledged a PING. */
  onPong(payload: Buffer): void {
    if (this.#timer === undefined || payload[0] !== this.#roundTrips) return;
    this.#roundTrips++;
    if (this.#roundTrips < QUIET_ROUND_TRIPS) this.#ping();
    else if (this.#roundTrips === QUIET_ROUND_TRIPS) this.#announce();
    else this.#onEnd();
  }

  /** The connection ends before the shutdown is complete. */
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
