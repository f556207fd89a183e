// The sending half of a stream: the part of a response that waits for the flow-control window.

import { MAX_FRAME_BYTES } from './frames.ts';

/** Parts of a response within this time count as one response, in milliseconds. */
const ONE_ANSWER_MS = 1_000;

export interface SenderOwner {
  readonly id: number;
  pushData(payload: Buffer, endsStream: boolean): void;
  pushTrailers(block: Buffer): void;
  /** Called when all waiting bytes have been sent. */
  drained(): void;
  /** Called when the last frame has been sent. */
  ended(): void;
}

export class Sender {
  /** The send window of this stream. It becomes negative if the peer reduces the initial window size. */
  window: number;
  /** Whether memory was reserved for all that it sends. */
  isReserved = false;
  readonly #owner: SenderOwner;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** The block of trailers after the body, empty for none; undefined while the body is incomplete. */
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

  /** Since when no whole frame was sent. */
  get waitsSince(): number {
    return this.#since;
  }

  /** Since when the response has waited for the peer; parts that follow each other at once count as one response. */
  get answerSince(): number {
    return this.#answerSince;
  }

  /** The first bytes start to wait. */
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

  /** Sends one frame, or the end, of at most so many bytes. Returns how many bytes of windows it used; `undefined`: it had to wait. */
  sendFrame(most: number, time: number): number | undefined {
    // A negative window is not changed here.
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

  /** Single bytes do not count as progress: only a whole frame does. */
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
