// What a TLS connection sends that is no data: records that carry little or nothing, such as KeyUpdate. OpenSSL processes them, at 2 to 13 µs
// each, without a call of ours, so they are noticed by the bytes that they have on the wire.

import type { Socket } from 'node:net';

/** How often connections are checked, in milliseconds. A loop that was busy with records of a peer checks right afterwards. */
const INTERVAL_MS = 100;
/**
 * Bytes on the wire for each byte of data that are never too many: a record of 9 bytes, the shortest frame of HTTP/2, has 31 with TLS 1.3
 * and 38 with TLS 1.2.
 */
const MAX_RATIO = 4;
/** Bytes above that which are never too many: 3,000 records. */
const MAX_EXCESS_BYTES = 64 * 1024;

interface Watched {
  readonly tls: Socket;
  /** The bytes of the handshake. */
  readonly from: number;
}

export class RecordOverhead {
  readonly #onExcess: (tcp: Socket, tls: Socket) => void;
  readonly #watched = new Map<Socket, Watched>();
  readonly #timer: NodeJS.Timeout;

  /** `onExcess` gets the two sockets of a connection that sends far more bytes than data. */
  constructor(onExcess: (tcp: Socket, tls: Socket) => void) {
    this.#onExcess = onExcess;
    this.#timer = setInterval(() => this.check(), INTERVAL_MS).unref();
  }

  /** Watches a connection whose handshake is complete. */
  watch(tcp: Socket, tls: Socket): void {
    this.#watched.set(tcp, { tls, from: tcp.bytesRead });
    tcp.once('close', () => this.#watched.delete(tcp));
  }

  check(): void {
    for (const [tcp, { tls, from }] of this.#watched) {
      if (tcp.bytesRead - from <= MAX_EXCESS_BYTES + MAX_RATIO * tls.bytesRead) continue;
      this.#watched.delete(tcp);
      this.#onExcess(tcp, tls);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
