// What a TLS peer can cost below HTTP, before a limit of calls counts it: certificates without trust, and records without data.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { networkOf } from '../limits/index.ts';
import { BlockedNetworks } from './blocked-networks.ts';
import { HandshakeQueue } from './handshake-queue.ts';
import { RecordOverhead } from './record-overhead.ts';
import type { TcpSide } from './tls-input.ts';

/** Bytes of a handshake that cost nothing: a ClientHello with a post-quantum key, and two certificates with common keys. */
const FREE_HANDSHAKE_BYTES = 4 * 1024;
/** A connection whose client certificate is not trusted is closed after a handshake with more bytes. */
const MAX_HANDSHAKE_BYTES = 16 * 1024;
/**
 * What further bytes cost at most, in milliseconds: 3 certificates with keys of 16,384 bits have 15 KB and cost 15 ms in one piece, 22 have
 * 94 KB and cost 82 ms.
 */
const COST_PER_HANDSHAKE_KIB = 1.5;
/** KeyUpdate has 27 bytes and costs 8 µs. */
const COST_PER_RECORD_KIB = 0.3;
/** A network from which a caller with a trusted certificate is connected may be one address for many, so it pays only a tenth. */
const TRUSTED_SHARE = 0.1;
/** The server has sent at most an alert: it has not asked for certificates. */
const MAX_ALERT_BYTES = 32;

export interface TlsGuardOptions {
  /** Whether client certificates are requested. */
  readonly asksForCertificates: boolean;
  /** The longest wait for the start of a handshake, in milliseconds. */
  readonly maxWaitMs: number;
  /**
   * `tls`: no handshake began in time. `certificates`: a chain that is too long. `records`: records without data. `blocked`: peers of the
   * network cost too much.
   */
  readonly onFailure: (stage: 'tls' | 'certificates' | 'records' | 'blocked', cause: Error) => void;
}

interface Peer {
  readonly tcp: TcpSide;
  readonly network: string;
}

export class TlsGuard {
  /** The server closes connections from these before it creates a socket. */
  readonly blocked: BlockedNetworks;
  readonly #options: TlsGuardOptions;
  /** Connections whose handshake is not complete, by their addresses and ports. */
  readonly #handshakes = new Map<string, Peer>();
  /** For each network, its open connections with a trusted certificate. */
  readonly #trusted = new Map<string, number>();
  readonly #queue: HandshakeQueue;
  readonly #overhead: RecordOverhead;

  constructor(options: TlsGuardOptions) {
    const { maxWaitMs, onFailure } = options;
    this.#options = options;
    this.blocked = new BlockedNetworks(() => onFailure('blocked', new Error('peers of the network cost too much')));
    this.#queue = new HandshakeQueue({
      maxWaitMs,
      isTrusted: (network) => this.#trusted.has(network),
      onLate: () => onFailure('tls', new Error('too many handshakes of its network were under way')),
    });
    this.#overhead = new RecordOverhead((tcp, tls) => this.#onOverhead(tcp, tls as TLSSocket));
  }

  /** A connection was accepted, and is not read yet. Calls `start` when its handshake may begin. */
  accepted(tcp: TcpSide, start: () => void): void {
    // Its peer has reset it already. Later its address would be unknown.
    if (tcp.remoteAddress === undefined) {
      tcp.destroy();
      return;
    }
    const id = idOf(tcp);
    const peer = { tcp, network: networkOf(tcp.remoteAddress) };
    this.#handshakes.set(id, peer);
    tcp.once('close', () => {
      if (this.#handshakes.get(id) === peer) this.#handshakeEnded(id, peer);
      this.#queue.leave(peer.network, tcp);
    });
    if (this.#options.asksForCertificates) this.#queue.enter(peer.network, tcp, start);
    else start();
  }

  /** A handshake has failed. If its address is not known any more, the end of its connection is what counts. */
  failed(tls: Socket): void {
    const id = idOf(tls);
    const peer = this.#handshakes.get(id);
    if (peer !== undefined) this.#handshakeEnded(id, peer);
  }

  /** A handshake is complete. Calls `serve` unless the connection is closed. */
  secured(tls: TLSSocket, serve: () => void): void {
    const id = idOf(tls);
    const peer = this.#handshakes.get(id);
    if (peer === undefined) {
      // The peer has reset the connection, or it was closed with others of its network.
      tls.on('error', () => undefined).destroy();
      return;
    }
    this.#handshakes.delete(id);
    const { tcp, network } = peer;
    if (tls.authorized) this.#addTrusted(tcp, network);
    this.#queue.leave(network, tcp);
    if (!tls.authorized && tls.getPeerX509Certificate() !== undefined && tcp.bytesRead > FREE_HANDSHAKE_BYTES) {
      this.#judgeLater(peer, tls, serve);
      return;
    }
    this.#overhead.watch(tcp, tls);
    serve();
  }

  /**
   * The last bytes of a handshake may have arrived together with the first request, which is decrypted in this turn. What is left is the
   * handshake.
   */
  #judgeLater({ tcp, network }: Peer, tls: TLSSocket, serve: () => void): void {
    // An error without a listener would end the process.
    tls.on('error', () => undefined);
    setImmediate(() => {
      const handshakeBytes = tcp.bytesRead - tls.bytesRead;
      this.#chargeHandshake(handshakeBytes, network);
      if (handshakeBytes > MAX_HANDSHAKE_BYTES) tls.destroy();
      if (tls.destroyed) return;
      this.#overhead.watch(tcp, tls);
      serve();
    });
  }

  close(): void {
    this.#queue.close();
    this.#overhead.close();
  }

  #handshakeEnded(id: string, { tcp, network }: Peer): void {
    this.#handshakes.delete(id);
    // Bytes that are no TLS, or a greeting that the server rejected.
    if (tcp.bytesWritten > MAX_ALERT_BYTES) this.#chargeHandshake(tcp.bytesRead, network);
    this.#queue.leave(network, tcp);
  }

  /** Charges a network for a handshake without a trusted certificate. */
  #chargeHandshake(bytes: number, network: string): void {
    if (!this.#options.asksForCertificates) return;
    if (bytes > MAX_HANDSHAKE_BYTES) {
      this.#options.onFailure('certificates', new Error(`a handshake of ${bytes} bytes`));
    }
    this.#charge(network, ((bytes - FREE_HANDSHAKE_BYTES) / 1024) * COST_PER_HANDSHAKE_KIB);
  }

  #onOverhead(tcp: TcpSide, tls: TLSSocket): void {
    this.#options.onFailure('records', new Error(`${tcp.bytesRead} bytes with ${tls.bytesRead} of data`));
    tls.destroy();
    if (!this.#options.asksForCertificates || tls.authorized) return;
    const network = networkOf(tcp.remoteAddress);
    // It was open before the block, and there may be more like it.
    if (this.blocked.isBlocked(network) && !this.#trusted.has(network)) this.#closeOpen(network);
    this.#charge(network, ((tcp.bytesRead - tls.bytesRead) / 1024) * COST_PER_RECORD_KIB);
  }

  #closeOpen(network: string): void {
    for (const [tcp, tls] of this.#overhead.connections()) if (networkOf(tcp.remoteAddress) === network) tls.destroy();
  }

  #charge(network: string, costMs: number): void {
    const isBlocked = this.blocked.charge(network, this.#trusted.has(network) ? costMs * TRUSTED_SHARE : costMs);
    // Handshakes of the same burst would cost as much each.
    if (isBlocked) this.#queue.closeAll(network);
  }

  #addTrusted(tcp: TcpSide, network: string): void {
    this.#trusted.set(network, (this.#trusted.get(network) ?? 0) + 1);
    tcp.once('close', () => {
      const left = this.#trusted.get(network)! - 1;
      if (left === 0) this.#trusted.delete(network);
      else this.#trusted.set(network, left);
    });
  }
}

/** Address and port of the peer, which identify an open connection. */
function idOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`;
}
