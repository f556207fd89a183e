// Writes bytes of text to a file descriptor, in order and without blocking the event loop. Text that cannot be written is dropped: a closed
// terminal, a reader that has exited and a full disk must not stop the service, or keep it from stopping.

import { write, writeSync } from 'node:fs';

/** If a slow reader makes a pipe return EAGAIN, the write is repeated after this time. */
const ASK_AGAIN_MS = 10;
/** The maximum number of attempts in a flush while the reader takes nothing, because a flush blocks the process. */
const MAX_ATTEMPTS = 100;

/** The maximum size of waiting text. Peers determine the number of lines, so text beyond this is dropped and counted. */
const MAX_WAITING_BYTES = 8 << 20;

export class EventFile {
  readonly #fd: number;
  readonly #maxWaitingBytes: number;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #lostPieces = 0;
  #isWriting = false;

  constructor(fd: number, maxWaitingBytes = MAX_WAITING_BYTES) {
    this.#fd = fd;
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  /** `piece` must not change afterwards. */
  write(piece: Buffer): void {
    if (this.#waitingBytes + piece.length > this.#maxWaitingBytes) {
      this.#lostPieces++;
      return;
    }
    if (this.#lostPieces > 0) this.#push(Buffer.from(this.#lossLine()));
    this.#push(piece);
    if (!this.#isWriting) this.#writeNext();
  }

  #push(piece: Buffer): void {
    this.#waitingBytes += piece.length;
    this.#waiting.push(piece);
  }

  /** Returns a line that says how many lines were dropped at this position. */
  #lossLine(): string {
    const line = { level: 'warn', time: new Date().toISOString(), event: 'events-lost', pieces: this.#lostPieces };
    this.#lostPieces = 0;
    return `${JSON.stringify(line)}\n`;
  }

  /**
   * Writes or drops all waiting text. Does not wait for a write that is in progress: on a pipe that is full, its rest comes after what
   * is written here.
   */
  flushSync(): void {
    this.#waitingBytes = 0;
    let failures = 0;
    for (const piece of this.#waiting.splice(0)) {
      let rest = piece;
      while (rest.length > 0 && failures < MAX_ATTEMPTS) {
        const written = this.#tryWrite(rest);
        if (written === undefined) return;
        if (written === 0) failures++;
        else failures = 0;
        rest = rest.subarray(written);
      }
    }
  }

  #writeNext(): void {
    const piece = this.#waiting.shift();
    this.#isWriting = piece !== undefined;
    if (piece === undefined) return;
    this.#waitingBytes = Math.max(0, this.#waitingBytes - piece.length);
    write(this.#fd, piece, (error, written) => {
      if (error === null && written < piece.length) this.#putBack(piece.subarray(written));
      if (error?.code === 'EAGAIN') {
        this.#putBack(piece);
        setTimeout(() => this.#writeNext(), ASK_AGAIN_MS);
      } else this.#writeNext();
    });
  }

  #putBack(piece: Buffer): void {
    this.#waitingBytes += piece.length;
    this.#waiting.unshift(piece);
  }

  /** Returns how many bytes were written: 0 if the reader takes nothing now, undefined if no write can succeed. */
  #tryWrite(bytes: Buffer): number | undefined {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return undefined;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ASK_AGAIN_MS);
      return 0;
    }
  }
}
