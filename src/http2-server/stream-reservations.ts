// The bytes that one stream keeps: parts of an incomplete request, and a response that waits for its peer. The connection, the write
// queue and the process each have a limit, so each of them counts the bytes.

import type { Sender } from './sender.ts';
import type { StreamMemory } from './stream-memory.ts';
import type { WriteQueue } from './write-queue.ts';

/** The limits on what a stream keeps. */
export interface ReservationHost {
  readonly writeQueue: WriteQueue;
  /** Reserves bytes. Returns whether there is room. */
  reserve(bytes: number): boolean;
  free(bytes: number): void;
  /** Memory of the process for a stream; `evict` ends the stream. */
  openMemory(evict: () => void): StreamMemory;
}

export class StreamReservations {
  readonly #host: ReservationHost;
  readonly #sender: Sender;
  readonly #evict: () => void;
  #memory: StreamMemory | undefined;
  /** Reserved bytes of the request. */
  #body = 0;
  /** Bytes of the response that wait for the peer. */
  #waiting = 0;
  /** Bytes reserved in the write queue for the response. */
  #reserved = 0;

  constructor(host: ReservationHost, sender: Sender, evict: () => void) {
    this.#host = host;
    this.#sender = sender;
    this.#evict = evict;
  }

  /** Reserves bytes of the request. Returns whether the connection and the process have room. */
  reserveBody(bytes: number): boolean {
    if (!this.#host.reserve(bytes)) return false;
    if (!this.#grow(bytes)) {
      this.#host.free(bytes);
      return false;
    }
    this.#body += bytes;
    return true;
  }

  /** Frees so many bytes of the request, or all. */
  freeBody(bytes = Number.POSITIVE_INFINITY): void {
    const freed = Math.min(bytes, this.#body);
    this.#host.free(freed);
    this.#memory?.shrink(freed);
    this.#body -= freed;
  }

  /** Reserves bytes for a response that is not created yet. Returns whether there is room. */
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

  /** Counts more waiting bytes of the response. Returns whether there is room. */
  wait(bytes: number): boolean {
    const hasMemory = this.#sender.isReserved ? this.#fitReserved(bytes) : this.#grow(bytes);
    this.#waiting += bytes;
    // Called in any case, because both count the bytes.
    return this.#host.writeQueue.wait(this.#sender, bytes) && hasMemory;
  }

  /** The response has been sent. */
  freeAnswer(): void {
    this.#memory?.shrink(this.#waiting);
    this.#waiting = 0;
    if (this.#reserved > 0) this.#freeReserved(this.#reserved);
  }

  /** Frees everything. */
  close(): void {
    if (this.#reserved > 0) this.#freeReserved(this.#reserved);
    this.freeBody();
    this.#memory?.close();
  }

  /** Adjusts the reservation to the waiting bytes. */
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
