// Buffers the body of a request until it is complete. A large part that arrived in one frame is not copied; smaller parts are, so that
// they do not keep the whole read buffer in memory.

import { JoinedBytes } from './joined-bytes.ts';
import { isInOwnedChunk } from './released-memory.ts';
import type { Stream } from './stream.ts';

/** A part of at least this size is kept without a copy, if it is at least half of the memory that it is in. */
const LARGE_BYTES = 3 * 1024;

export class Body {
  readonly #stream: Stream;
  readonly #bytes: JoinedBytes;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#bytes = new JoinedBytes(stream);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The first bytes so far: at least 1 KiB, or all. */
  get head(): Buffer {
    return this.#bytes.head;
  }

  /** Adds a part. Returns whether there is room for it. */
  add(part: Buffer): boolean {
    if (this.length === 0 && this.#stream.remoteEnded) {
      if (part.length >= LARGE_BYTES && !this.#stream.reserveBody(part.length)) return false;
      const isKept = part.length >= LARGE_BYTES && 2 * part.length >= part.buffer.byteLength && !isInOwnedChunk(part);
      this.#bytes.adopt(isKept ? part : Buffer.from(part));
    } else if (!this.#bytes.add(part)) return false;
    this.#stream.consumed(part.length);
    return true;
  }

  /** Returns the bytes so far, and keeps none of them: a message that has been read must not stay in memory beside its bytes. */
  take(): Buffer {
    return this.#bytes.read();
  }

  /** Drops the bytes that have not been taken. Their memory stays reserved until the stream ends. */
  drop(): void {
    this.#bytes.drop();
  }
}
