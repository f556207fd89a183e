// The bytes that one stream keeps: parts of a request that is not complete, and an answer that waits for its peer. Connection, write
// queue and process each have a limit, so each counts them.

import type { Sender } from './sender.ts';
import type { StreamMemory } from './stream-memory.ts';
import type { WriteQueue } from './write-queue.ts';

/** Who limits what a stream keeps. */
export interface ReservationHost {
  readonly writeQueue: WriteQueue;
  /** Room for bytes that are kept for a while. Answers whether there is any. */
  reserve(bytes: number): boolean;
  free(bytes: number): void;
  /** What the whole process can spare for a stream; `evict` ends the stream. */
  openMemory(evict: () => void): StreamMemory;
}

export class StreamReservations {
  readonly #host: ReservationHost;
  readonly #sender: Sender;
  readonly #evict: () => void;
  #memory: StreamMemory | undefined;
  /** Bytes of the request. */
  #body = 0;
  /** Bytes of the answer that wait for the peer, as they were reserved. */
  #waiting = 0;
  /** Room in the write queue that belongs to the answer. */
  #reserved = 0;

  constructor(host: ReservationHost, sender: Sender, evict: () => void) {
    this.#host = host;
    this.#sender = sender;
    this.#evict = evict;
  }

  /** Answers whether the connection, and the process, have room for so many more bytes of the request. */
  reserveBody(bytes: number): boolean {
    if (!this.#host.reserve(bytes)) return false;
    if (!this.#grow(bytes)) {
      this.#host.free(bytes);
      return false;
    }
    this.#body += bytes;
    return true;
  }

  freeBody(): void {
    this.#host.free(this.#body);
    this.#memory?.shrink(this.#body);
    this.#body = 0;
  }

  /** Answers whether there is room for an answer of so many bytes, which is not made yet. */
  reserveAnswer(bytes: number): boolean {
    if (!this.#host.writeQueue.reserve(bytes)) return false;
    this.#reserved += bytes;
    if (!this.#grow(bytes)) {
      this.#freeReserved(bytes);
      return false;
    }
    this.#memory?.pin(true);
    this.#sender.isReserved = true;
    return true;
  }

  /** So many more bytes of the answer wait for the peer. Answers whether they may. */
  wait(bytes: number): boolean {
    const hasMemory = this.#sender.isReserved ? this.#fitReserved(bytes) : this.#grow(bytes);
    this.#waiting += bytes;
    // Asked in any case, since both count what waits.
    return this.#host.writeQueue.wait(this.#sender, bytes) && hasMemory;
  }

  /** The answer waits no more. */
  freeAnswer(): void {
    this.#memory?.shrink(this.#waiting);
    this.#waiting = 0;
    if (this.#reserved > 0) this.#freeReserved(this.#reserved);
  }

  /** The stream is over. */
  close(): void {
    if (this.#reserved > 0) this.#freeReserved(this.#reserved);
    this.freeBody();
    this.#memory?.close();
  }

  /** What was reserved becomes as much as waits. */
  #fitReserved(bytes: number): boolean {
    this.#memory?.pin(false);
    const missing = this.#waiting + bytes - this.#reserved;
    if (missing <= 0) {
      this.#freeReserved(-missing);
      this.#memory?.shrink(-missing);
      return true;
    }
    if (!this.#host.writeQueue.reserve(missing)) return false;
    this.#reserved += missing;
    return this.#grow(missing);
  }

  #freeReserved(bytes: number): void {
    this.#reserved -= bytes;
    this.#host.writeQueue.free(bytes);
  }

  #grow(bytes: number): boolean {
    this.#memory ??= this.#host.openMemory(this.#evict);
    return this.#memory.grow(bytes);
  }
}
