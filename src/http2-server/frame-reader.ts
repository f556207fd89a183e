// Splits the received bytes into frames. A frame is passed on when it is complete; the bytes of an incomplete one are at most one frame,
// and are kept for a limited time.

import { ByteBlock } from './byte-block.ts';
import { calmDown, protocolError, sizeError } from './connection-error.ts';
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES, PREFACE } from './frames.ts';
import { releaseChunk } from './released-memory.ts';

/** Processes a frame. The payload is `bytes` from `start` to `end`, valid only during the call. */
export type OnFrame = (type: number, flags: number, id: number, bytes: Buffer, start: number, end: number) => void;

export class FrameReader {
  readonly #onFrame: OnFrame;
  readonly #maxFrameMs: number;
  readonly #now: () => number;
  readonly #mayContinue: () => boolean;
  #awaitsPreface = true;
  readonly #rest = new ByteBlock();
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
    let at = 0;
    if (this.#rest.length > 0) {
      at = this.#completeRest(chunk);
      if (this.#rest.length > 0) {
        this.#checkTime();
        return undefined;
      }
      if (at < chunk.length && !this.#mayContinue()) return chunk.subarray(at);
    } else if (this.#awaitsPreface) at = this.#readPreface(chunk);
    while (!this.#awaitsPreface && chunk.length - at >= FRAME_HEADER_BYTES) {
      const end = at + frameBytes(chunk, at);
      if (end > chunk.length) break;
      this.#passOn(chunk, at, end);
      at = end;
      if (at < chunk.length && !this.#mayContinue()) return chunk.subarray(at);
    }
    if (at < chunk.length) {
      // A copy, so that a few bytes do not keep the whole read buffer in memory.
      this.#rest.append(chunk, at);
      this.#restSince = this.#now();
    }
    return undefined;
  }

  /** Whether the preface or a frame is incomplete. */
  get isPartial(): boolean {
    return this.#awaitsPreface || this.#rest.length > 0;
  }

  /** Adds the missing bytes to the preface or frame that is incomplete, and passes the frame on. Returns how many it has taken. */
  #completeRest(chunk: Buffer): number {
    let at = 0;
    for (;;) {
      const missing = this.#missingBytes();
      const end = Math.min(at + missing, chunk.length);
      this.#rest.append(chunk, at, end);
      const isComplete = end - at === missing;
      at = end;
      if (this.#awaitsPreface) {
        this.#readPreface(this.#rest.bytes);
        if (!this.#awaitsPreface) this.#rest.clear();
        return at;
      }
      if (!isComplete) return at;
      if (this.#missingBytes() > 0) continue;
      const frame = this.#rest.take();
      this.#passOn(frame, 0, frame.length);
      releaseChunk(frame);
      return at;
    }
  }

  /** How many bytes the preface, the header of a frame, or the frame still needs. */
  #missingBytes(): number {
    const { length, bytes } = this.#rest;
    if (this.#awaitsPreface) return PREFACE.length - length;
    return (length < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : frameBytes(bytes, 0)) - length;
  }

  #passOn(bytes: Buffer, at: number, end: number): void {
    const id = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    this.#onFrame(bytes[at + 3]!, bytes[at + 4]!, id, bytes, at + FRAME_HEADER_BYTES, end);
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

  #checkTime(): void {
    if (this.#now() - this.#restSince > this.#maxFrameMs) throw calmDown('a frame takes too long to arrive');
  }
}

/** The bytes of a frame with its header, which is complete. */
function frameBytes(bytes: Buffer, at: number): number {
  const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
  if (length > MAX_FRAME_BYTES) throw sizeError('a frame beyond 16 KiB');
  return FRAME_HEADER_BYTES + length;
}
