// Writes pieces of text to a file descriptor, off the event loop and in order. What cannot be written is lost: a terminal that
// was closed, a reader that went away and a full disk must never stop the service, or keep it from ending.

import { write, writeSync } from 'node:fs';

/** A reader that is slow makes a pipe answer EAGAIN: asked again after so long. */
const ASK_AGAIN_MS = 10;
/** In a flush, which holds the process, asked so often. */
const MAX_ATTEMPTS = 100;

export class EventFile {
  readonly #fd: number;
  readonly #waiting: Buffer[] = [];
  #isWriting = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(text: string): void {
    this.#waiting.push(Buffer.from(text));
    if (!this.#isWriting) this.#writeNext();
  }

  /** Returns when all that waits has been written or given up. A piece that is being written right now is not waited for. */
  flushSync(): void {
    for (const piece of this.#waiting.splice(0)) this.#writeWhole(piece);
  }

  #writeNext(): void {
    const piece = this.#waiting.shift();
    this.#isWriting = piece !== undefined;
    if (piece === undefined) return;
    write(this.#fd, piece, (error, written) => {
      if (error === null && written < piece.length) this.#waiting.unshift(piece.subarray(written));
      if (error?.code === 'EAGAIN') {
        this.#waiting.unshift(piece);
        setTimeout(() => this.#writeNext(), ASK_AGAIN_MS);
      } else this.#writeNext();
    });
  }

  #writeWhole(piece: Buffer): void {
    let rest = piece;
    for (let attempt = 0; rest.length > 0 && attempt < MAX_ATTEMPTS; attempt++) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ASK_AGAIN_MS);
      }
    }
  }
}
