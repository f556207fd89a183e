// Cuts what a connection brings into frames. A frame is handed over when it is whole; what is kept of an incomplete one is at
// most a frame, and not for long.

import { calmDown, protocolError, sizeError } from './connection-error.ts';
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES, PREFACE } from './frames.ts';

/** Takes a frame; the payload is `bytes` from `start` to `end`, and only lent. */
export type OnFrame = (type: number, flags: number, id: number, bytes: Buffer, start: number, end: number) => void;

export class FrameReader {
  readonly #onFrame: OnFrame;
  readonly #maxFrameMs: number;
  readonly #now: () => number;
  readonly #mayGoOn: () => boolean;
  #awaitsPreface = true;
  #rest: Buffer | undefined;
  #restSince = 0;

  /** `maxFrameMs`: how long a frame may take to arrive. `mayGoOn` is asked between two frames. */
  constructor(maxFrameMs: number, now: () => number, onFrame: OnFrame, mayGoOn: () => boolean = () => true) {
    this.#maxFrameMs = maxFrameMs;
    this.#now = now;
    this.#onFrame = onFrame;
    this.#mayGoOn = mayGoOn;
  }

  /**
   * Takes what was read. Returns the bytes that it has not looked at, because it may not go on now: they are to be handed in
   * again, before any others. Throws ConnectionError, its own or what the frame's taker throws.
   */
  read(chunk: Buffer): Buffer | undefined {
    const rest = this.#rest;
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    this.#rest = undefined;
    let at = this.#awaitsPreface ? this.#readPreface(bytes) : 0;
    const framesFrom = at;
    while (!this.#awaitsPreface && bytes.length - at >= FRAME_HEADER_BYTES) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      if (length > MAX_FRAME_BYTES) throw sizeError('a frame beyond 16 KiB');
      const start = at + FRAME_HEADER_BYTES;
      const end = start + length;
      if (end > bytes.length) break;
      const id = bytes.readUInt32BE(at + 5) & 0x7fffffff;
      this.#onFrame(bytes[at + 3]!, bytes[at + 4]!, id, bytes, start, end);
      at = end;
      if (at < bytes.length && !this.#mayGoOn()) return bytes.subarray(at);
    }
    if (at < bytes.length) this.#keep(bytes, at, rest === undefined || at > framesFrom);
    return undefined;
  }

  /** Whether something has begun that is not complete: the preface, or a frame. */
  get isPartial(): boolean {
    return this.#awaitsPreface || this.#rest !== undefined;
  }

  #readPreface(bytes: Buffer): number {
    const length = Math.min(bytes.length, PREFACE.length);
    if (bytes.compare(PREFACE, 0, length, 0, length) !== 0) {
      throw protocolError('this is not the preface of HTTP/2');
    }
    if (length < PREFACE.length) return 0;
    this.#awaitsPreface = false;
    return length;
  }

  #keep(bytes: Buffer, at: number, isNew: boolean): void {
    // A copy, so that a few bytes do not keep all that was read with them.
    this.#rest = Buffer.from(bytes.subarray(at));
    if (isNew) this.#restSince = this.#now();
    else if (this.#now() - this.#restSince > this.#maxFrameMs) {
      throw calmDown('a frame takes too long to arrive');
    }
  }
}
