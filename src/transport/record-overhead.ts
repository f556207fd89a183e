// What a TLS connection sends that is no data: records that carry little or nothing, such as KeyUpdate. OpenSSL processes them, at 2 to 13 µs
// each, without a call of ours, so they are noticed by the bytes that they have on the wire and that TLS got (`tls-input.ts`).

import type { Socket } from 'node:net';
import type { TcpSide } from './tls-input.ts';

/** How often connections are checked, in milliseconds. A loop that was busy with records of a peer checks right afterwards. */
const INTERVAL_MS = 100;
/**
 * Bytes on the wire for each byte of data that are never too many: a record of 9 bytes, the shortest frame of HTTP/2, has 31 with TLS 1.3
 * and 38 with TLS 1.2.
 */
const MAX_RATIO = 4;
/** Bytes above that which are never too many: 3,000 records. */
const MAX_EXCESS_BYTES = 64 * 1024;

/** After this time the count begins anew: padding and a PING now and then add up in a connection that lasts for days. */
const RENEW_MS = 60_000;

interface Watched {
  readonly tls: Socket;
  /** Both counts at the beginning of the period; first the bytes of the handshake. */
  wireBytes: number;
  dataBytes: number;
  sinceMs: number;
}

export class RecordOverhead {
  readonly #onExcess: (tcp: TcpSide, tls: Socket) => void;
  readonly #watched = new Map<TcpSide, Watched>();
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;

  /** `onExcess` gets the two sockets of a connection that sends far more bytes than data. */
  constructor(onExcess: (tcp: TcpSide, tls: Socket) => void, now: () => number = () => performance.now()) {
    this.#onExcess = onExcess;
    this.#now = now;
    this.#timer = setInterval(() => this.check(), INTERVAL_MS).unref();
  }

  /** Watches a connection whose handshake is complete. */
  watch(tcp: TcpSide, tls: Socket): void {
    this.#watched.set(tcp, { tls, wireBytes: tcp.bytesRead, dataBytes: 0, sinceMs: this.#now() });
    tcp.once('close', () => this.#watched.delete(tcp));
  }

  check(): void {
    const now = this.#now();
    for (const [tcp, watched] of this.#watched) {
      const { tls } = watched;
      const [wireBytes, dataBytes] = [tcp.bytesRead, tls.bytesRead];
      if (wireBytes - watched.wireBytes > MAX_EXCESS_BYTES + MAX_RATIO * (dataBytes - watched.dataBytes)) {
        this.#watched.delete(tcp);
        this.#onExcess(tcp, tls);
      } else if (now - watched.sinceMs >= RENEW_MS) {
        Object.assign(watched, { wireBytes, dataBytes, sinceMs: now });
      }
    }
  }

  /** The TCP and TLS sockets of all connections that are watched. */
  *connections(): IterableIterator<readonly [tcp: TcpSide, tls: Socket]> {
    for (const [tcp, { tls }] of this.#watched) yield [tcp, tls];
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
