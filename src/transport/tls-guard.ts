// What a TLS peer can cost below HTTP, before a limit of calls counts it: long chains of certificates, and records without data.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { networkOf } from '../limits/index.ts';
import { BlockedNetworks } from './blocked-networks.ts';
import { RecordOverhead } from './record-overhead.ts';

/**
 * Bytes of a handshake whose client certificate is not trusted, or that fails. 22 certificates with keys of 16,384 bits have 94 KB, and cost
 * 82 ms in one piece; those of 4,096 bits have 2 KB, and cost a fraction of a millisecond.
 */
const MAX_HANDSHAKE_BYTES = 16 * 1024;

export interface TlsGuardOptions {
  /** Whether client certificates are requested. */
  readonly asksForCertificates: boolean;
  /** `certificates`: a chain that is too long. `records`: records without data. `blocked`: the address had one of these. */
  readonly onFailure: (stage: 'certificates' | 'records' | 'blocked', cause: Error) => void;
}

export class TlsGuard {
  /** The server closes connections from these before it creates a socket. */
  readonly blocked: BlockedNetworks;
  readonly #options: TlsGuardOptions;
  /** Connections whose handshake is not complete, by their peers. */
  readonly #handshakes = new Map<string, Socket>();
  /** For each network, its open connections with a trusted certificate. */
  readonly #trusted = new Map<string, number>();
  readonly #overhead: RecordOverhead;

  constructor(options: TlsGuardOptions) {
    const { onFailure } = options;
    this.#options = options;
    this.blocked = new BlockedNetworks(() => onFailure('blocked', new Error('an expensive peer of the address')));
    this.#overhead = new RecordOverhead((tcp, tls) => this.#onOverhead(tcp, tls as TLSSocket));
  }

  /** A connection was accepted. */
  accepted(tcp: Socket): void {
    const peer = peerOf(tcp);
    const network = networkOf(tcp.remoteAddress);
    this.#handshakes.set(peer, tcp);
    tcp.once('close', () => {
      if (this.#handshakes.get(peer) === tcp) this.#handshakeEnded(peer, tcp, network);
    });
  }

  /** A handshake has failed. */
  failed(tls: Socket, { code }: NodeJS.ErrnoException): void {
    const peer = peerOf(tls);
    const tcp = this.#handshakes.get(peer);
    // A client without TLS. OpenSSL knows that from its first bytes, whatever follows them.
    if (code === 'ERR_SSL_HTTP_REQUEST') this.#handshakes.delete(peer);
    else if (tcp !== undefined) this.#handshakeEnded(peer, tcp, networkOf(tcp.remoteAddress));
  }

  /** A handshake is complete. Calls `serve` unless the connection is closed. */
  secured(tls: TLSSocket, serve: () => void): void {
    const peer = peerOf(tls);
    const tcp = this.#handshakes.get(peer);
    if (tcp === undefined) {
      serve();
      return;
    }
    this.#handshakes.delete(peer);
    const network = networkOf(tcp.remoteAddress);
    if (tls.authorized) this.#addTrusted(tcp, network);
    else if (tls.getPeerX509Certificate() !== undefined && this.#isTooLong(tcp.bytesRead)) {
      this.#judgeLater(tcp, tls, network, serve);
      return;
    }
    this.#overhead.watch(tcp, tls);
    serve();
  }

  /**
   * The last bytes of a handshake may have arrived together with the first request, which is decrypted in this turn. What is left is the
   * handshake.
   */
  #judgeLater(tcp: Socket, tls: TLSSocket, network: string, serve: () => void): void {
    // An error without a listener would end the process.
    tls.on('error', () => undefined);
    setImmediate(() => {
      if (this.#rejects(tcp.bytesRead - tls.bytesRead, network)) tls.destroy();
      if (tls.destroyed) return;
      this.#overhead.watch(tcp, tls);
      serve();
    });
  }

  close(): void {
    this.#overhead.close();
  }

  #handshakeEnded(peer: string, tcp: Socket, network: string): void {
    this.#handshakes.delete(peer);
    this.#rejects(tcp.bytesRead, network);
  }

  /** Returns whether a handshake without a trusted certificate had too many bytes. If so, its network is blocked. */
  #rejects(handshakeBytes: number, network: string): boolean {
    if (!this.#isTooLong(handshakeBytes)) return false;
    this.#options.onFailure('certificates', new Error(`a handshake of ${handshakeBytes} bytes`));
    this.#block(network);
    return true;
  }

  #isTooLong(handshakeBytes: number): boolean {
    return this.#options.asksForCertificates && handshakeBytes > MAX_HANDSHAKE_BYTES;
  }

  #onOverhead(tcp: Socket, tls: TLSSocket): void {
    this.#options.onFailure('records', new Error(`${tcp.bytesRead} bytes with ${tls.bytesRead} of data`));
    if (this.#options.asksForCertificates && !tls.authorized) this.#block(networkOf(tcp.remoteAddress));
    tls.destroy();
  }

  /** Blocks a network, unless a caller with a trusted certificate is connected from it: then it is one address for many. */
  #block(network: string): void {
    if (this.#trusted.has(network)) return;
    this.blocked.block(network);
    // Handshakes of the same burst would cost as much each.
    for (const tcp of this.#handshakes.values()) if (networkOf(tcp.remoteAddress) === network) tcp.destroy();
  }

  #addTrusted(tcp: Socket, network: string): void {
    this.#trusted.set(network, (this.#trusted.get(network) ?? 0) + 1);
    tcp.once('close', () => {
      const left = this.#trusted.get(network)! - 1;
      if (left === 0) this.#trusted.delete(network);
      else this.#trusted.set(network, left);
    });
  }
}

/** Address and port of the peer, which identify an open connection. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
