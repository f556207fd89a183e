// Splits the received bytes into frames. A frame is passed on when it is complete; the bytes of an incomplete one are at most one frame,
// and are kept for a limited time.

import { calmDown, protocolError, sizeError } from './connection-error.ts';
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES, PREFACE } from './frames.ts';

/** Processes a frame. The payload is `bytes` from `start` to `end`, valid only during the call. */
export type OnFrame = (type: number, flags: number, id: number, bytes: Buffer, start: number, end: number) => void;

export class FrameReader {
  readonly #onFrame: OnFrame;
  readonly #maxFrameMs: number;
  readonly #now: () => number;
  readonly #mayContinue: () => boolean;
  #awaitsPreface = true;
  #rest: Buffer | undefined;
  #restSince = 0;

  /** `maxFrameMs`: how long a frame may take to arrive. `mayContinue` is called between two frames. */
  constructor(maxFrameMs: number, now: () => number, onFrame: OnFrame, mayContinue: () => boolean = () => true) {
    this.#maxFrameMs = maxFrameMs;
    this.#now = now;
    this.#onFrame = onFrame;
    this.#mayContinue = mayContinue;
  }

  /**
   * Parses received bytes. Returns the bytes that it has not parsed, because `mayContinue` returned false: pass them in again before any
   * others. Throws ConnectionError, its own or that of the frame handler.
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
      if (at < bytes.length && !this.#mayContinue()) return bytes.subarray(at);
    }
    if (at < bytes.length) this.#keep(bytes, at, rest === undefined || at > framesFrom);
    return undefined;
  }

  /** Whether the preface or a frame is incomplete. */
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
    // A copy, so that a few bytes do not keep the whole read buffer in memory.
    this.#rest = Buffer.from(bytes.subarray(at));
    if (isNew) this.#restSince = this.#now();
    else if (this.#now() - this.#restSince > this.#maxFrameMs) {
      throw calmDown('a frame takes too long to arrive');
    }
  }
}
