// A line within the process: two ends, and what is written at one is read at the other. A write is complete at once, as it
// is where a kernel buffers: two HTTP/2 sessions that each wait for their write before they read would wait for ever.
// How much may be under way is bounded by the windows of HTTP/2.

import { Duplex } from 'node:stream';

class End extends Duplex {
  #other: End | undefined;

  join(other: End): void {
    this.#other = other;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#other?.push(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.#other?.push(null);
    done();
  }

  override _read(): void {
    // The other end pushes.
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.#other;
    this.#other = undefined;
    // A line that is cut is cut at both ends.
    if (other !== undefined && !other.destroyed) setImmediate(() => other.destroy());
    done(error);
  }
}

/** Makes a line. */
export function memoryLine(): [Duplex, Duplex] {
  const near = new End();
  const far = new End();
  near.join(far);
  far.join(near);
  return [near, far];
}
