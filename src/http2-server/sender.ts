// The sending half of a stream: the part of a response that waits for the peer to make room.

import { MAX_FRAME_BYTES } from './frames.ts';

/** Parts of a response that come within this time are one response, in milliseconds. */
const ONE_ANSWER_MS = 1_000;

export interface SenderOwner {
  readonly id: number;
  pushData(payload: Buffer, endsStream: boolean): void;
  pushTrailers(block: Buffer): void;
  /** All that waited has left. */
  drained(): void;
  /** The last frame has left. */
  ended(): void;
}

export class Sender {
  /** What the peer still takes on this stream. It may become negative when the peer makes its windows smaller. */
  window: number;
  /** Whether room was reserved for all that it sends. */
  isReserved = false;
  readonly #owner: SenderOwner;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** What ends the stream after the body: a block of trailers, or an empty one for none. */
  #ending: Buffer | undefined;
  #since = 0;
  #sentSince = 0;
  #answerSince = 0;
  #drainedAt = Number.NEGATIVE_INFINITY;

  constructor(owner: SenderOwner, window: number) {
    this.#owner = owner;
    this.window = window;
  }

  get id(): number {
    return this.#owner.id;
  }

  get waitingBytes(): number {
    return this.#bytes;
  }

  get waits(): boolean {
    return this.#bytes > 0 || this.#ending !== undefined;
  }

  /** Since when the peer has not taken a whole frame. */
  get waitsSince(): number {
    return this.#since;
  }

  /** Since when the peer has kept the response waiting: parts that follow each other at once are one response. */
  get answerSince(): number {
    return this.#answerSince;
  }

  /** Something waits, where nothing did before. */
  beginAnswerWait(time: number): void {
    if (time - this.#drainedAt > ONE_ANSWER_MS) this.#answerSince = time;
    this.#beginWait(time);
  }

  #beginWait(time: number): void {
    this.#since = time;
    this.#sentSince = 0;
  }

  add(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  end(trailers: Buffer): void {
    this.#ending = trailers;
  }

  onDrained(time: number): void {
    this.#drainedAt = time;
    this.#owner.drained();
  }

  /** Sends one frame, or the end, within so many bytes. Returns how many bytes of windows it took; `undefined`: it had to wait. */
  sendFrame(most: number, time: number): number | undefined {
    // Nothing is taken from windows that are negative, nor added to them.
    const bytes = Math.max(0, Math.min(most, this.window, this.#bytes));
    if (this.#bytes > 0 && bytes === 0) return undefined;
    if (bytes > 0) {
      const isEnd = bytes === this.#bytes && this.#ending?.length === 0;
      this.#owner.pushData(this.#take(bytes), isEnd);
      this.window -= bytes;
      this.#progress(bytes, time);
      if (isEnd) this.#finish();
    } else if (this.#ending !== undefined) {
      if (this.#ending.length > 0) this.#owner.pushTrailers(this.#ending);
      else this.#owner.pushData(this.#ending, true);
      this.#finish();
    }
    return bytes;
  }

  #finish(): void {
    this.#ending = undefined;
    this.#owner.ended();
  }

  /** Byte by byte is not reading: only a whole frame counts. */
  #progress(bytes: number, time: number): void {
    this.#sentSince += bytes;
    if (this.#sentSince >= MAX_FRAME_BYTES) this.#beginWait(time);
  }

  #take(bytes: number): Buffer {
    this.#bytes -= bytes;
    const parts: Buffer[] = [];
    for (let left = bytes; left > 0; ) {
      const first = this.#chunks[0]!;
      if (first.length <= left) {
        parts.push(first);
        this.#chunks.shift();
      } else {
        parts.push(first.subarray(0, left));
        this.#chunks[0] = first.subarray(left);
      }
      left -= parts.at(-1)!.length;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }
}
