// A TCP connection as TLS sees it. OpenSSL processes all records of a read at once, and records that only change keys cost 10 µs for 27 bytes
// without a call of ours: what one read of Node brings (up to 2 MiB) would hold the event loop for most of a second. This stream passes
// the bytes on in pieces, in a fair queue among networks, before anything is decrypted.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { OwnContext } from '../concurrency/own-context.ts';
import { limitReadAhead } from '../http2-server/index.ts';
import type { ReadLane } from '../limits/index.ts';
import { TlsRecords } from './tls-records.ts';

/** What is passed on between two looks at the clock: records, of which those without data take some 0.2 ms; and bytes, a whole record. */
const PIECE_RECORDS = 16;
const PIECE_BYTES = 16 * 1024 + 261;
/** Bytes above four times the data after which a connection is read more slowly: some 20 records without data. */
const MAX_EXCESS_BYTES = 512;
const MAX_RATIO = 4;

/** How the bytes of TLS connections are read. */
export interface TlsLanes {
  readonly usual: ReadLane;
  /** For a connection that sends records without data: others do not wait for them. */
  readonly slow: ReadLane;
}

/** What limits below HTTP need to know of it. */
export interface TcpSide
  extends Pick<Socket, 'remoteAddress' | 'remotePort' | 'bytesRead' | 'bytesWritten' | 'destroyed'> {
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

export class TlsInput extends Duplex {
  /** Bytes that TLS got so far. More may have been read. */
  bytesRead = 0;
  readonly #tcp: Socket;
  readonly #lanes: TlsLanes;
  readonly #context = new OwnContext();
  readonly #onPiece: (pass: () => void) => void;
  readonly #records = new TlsRecords();
  /** What was read and waits. */
  #rest: Buffer[] = [];
  #tls: Socket | undefined;
  #handshakeBytes = 0;
  #isWanted = false;
  #isInTurn = false;
  #hasEnded = false;

  /** `onPiece` gets the function that passes a piece on, and calls it. Whatever TLS finds in the piece happens in this call. */
  constructor(tcp: Socket, lanes: TlsLanes, onPiece: (pass: () => void) => void = (pass) => pass()) {
    super({ allowHalfOpen: tcp.allowHalfOpen });
    this.#tcp = tcp;
    this.#lanes = lanes;
    this.#onPiece = onPiece;
    // Otherwise it would end its side together with the peer, before what TLS still writes.
    tcp.allowHalfOpen = true;
    limitReadAhead(tcp);
    tcp.on('data', (chunk: Buffer) => {
      this.#rest.push(chunk);
      this.#passOn();
      // It waits, for TLS or for its turn. Until then each turn of the event loop could bring 2 MiB more.
      if (this.#rest.length > 0) this.#tcp.pause();
    });
    tcp.on('end', () => {
      this.#hasEnded = true;
      // TLS has taken its own value over. It ends this side when it has written everything.
      this.allowHalfOpen = true;
      this.#passOn();
    });
    tcp.on('error', (error) => this.destroy(error));
    tcp.on('close', () => this.destroy());
  }

  get remoteAddress(): string | undefined {
    return this.#tcp.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#tcp.remotePort;
  }

  get localAddress(): string | undefined {
    return this.#tcp.localAddress;
  }

  get bytesWritten(): number {
    return this.#tcp.bytesWritten;
  }

  /** The handshake is complete: from now on the bytes are compared with the data of this socket. */
  secured(tls: Socket): void {
    this.#tls = tls;
    this.#handshakeBytes = this.bytesRead;
  }

  override pause(): this {
    this.#isWanted = false;
    this.#tcp.pause();
    return super.pause();
  }

  override resume(): this {
    this.#isWanted = true;
    super.resume();
    this.#passOn();
    return this;
  }

  override _read(): void {
    // Pieces are emitted at once, in their turn: a stream would queue them.
  }

  // TLS waits for the end of a write before the next one, so a queue of this stream would only cost time.
  override write(chunk: Buffer, ...rest: unknown[]): boolean {
    return this.#tcp.write(chunk, ...(rest as [() => void]));
  }

  override cork(): void {
    this.#tcp.cork();
  }

  override uncork(): void {
    this.#tcp.uncork();
  }

  override _final(ended: () => void): void {
    this.#tcp.end(() => ended());
  }

  override _destroy(error: Error | null, destroyed: (error?: Error | null) => void): void {
    this.#rest = [];
    this.#tcp.destroy();
    destroyed(error);
  }

  #passOn(): void {
    if (!this.#isWanted || this.#isInTurn || this.destroyed) return;
    if (this.#rest.length > 0) {
      this.#isInTurn = true;
      const { reads, flow } = this.#lane();
      this.#context.runInAsyncScope(() => reads.run(flow, this.#slice));
    } else if (this.#hasEnded) this.push(null);
    else if (this.#tcp.isPaused()) this.#tcp.resume();
  }

  /** Passes pieces on until the time of this connection is over. */
  readonly #slice = (): void => {
    const { reads } = this.#lane();
    do {
      this.#onPiece(this.#passPiece);
      if (this.#isWasteful) break;
    } while (this.#isWanted && this.#rest.length > 0 && reads.mayContinue);
    if (this.#isWanted && this.#rest.length > 0) {
      const next = this.#lane();
      next.reads.defer(next.flow, this.#slice);
      return;
    }
    this.#isInTurn = false;
    this.#passOn();
  };

  get #isWasteful(): boolean {
    if (this.#tls === undefined) return false;
    return this.bytesRead - this.#handshakeBytes > MAX_EXCESS_BYTES + MAX_RATIO * this.#tls.bytesRead;
  }

  #lane(): ReadLane {
    return this.#isWasteful ? this.#lanes.slow : this.#lanes.usual;
  }

  readonly #passPiece = (): void => {
    const chunk = this.#rest[0];
    // It may have been destroyed while it waited.
    if (chunk === undefined) return;
    const length = this.#records.next(chunk, PIECE_RECORDS, PIECE_BYTES);
    if (length < chunk.length) this.#rest[0] = chunk.subarray(length);
    else this.#rest.shift();
    this.bytesRead += length;
    this.emit('data', length < chunk.length ? chunk.subarray(0, length) : chunk);
  };
}
