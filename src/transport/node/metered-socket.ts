// A connection as Node's HTTP/1.1 server sees it. Node parses whatever a socket brings, at once and for each socket in turn: a hundred
// peers with 64 KiB of small requests each would hold the event loop for most of a second. Here the bytes are handed over in pieces,
// in the fair order in which those of HTTP/2 are parsed, and no more of them once the connection ends.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex, getDefaultHighWaterMark } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { ReadLanes } from '../../limits/index.ts';

/**
 * A piece in which requests may be, a dozen of the smallest size: Node goes on parsing a piece whose connection is closed by its first
 * request, and makes an error with a stack for each request in it. A piece of a body whose end is not known; and of one whose length is.
 */
const [HEAD_BYTES, CHUNKED_BYTES, BODY_BYTES] = [512, 2 * 1024, 32 * 1024];
/** Requests that are not answered yet, on one connection: nothing more is read from a peer that has so many. */
const MAX_OPEN = 8;
/** For how long what still comes is thrown away, in milliseconds. */
const LINGER_MS = 1_000;
/** For how long a connection stays open that was given up for others, in milliseconds: the next one would bring as much again. */
const EVICTED_MS = 1_000;

export class MeteredSocket extends Duplex {
  /** The connection as it was accepted: it knows the peer and its certificate. */
  readonly accepted: Socket;
  /** `connect-node` and others ask for it. */
  readonly encrypted: boolean;
  /** Set while connections that look idle to Node are closed: this one is not. */
  isKept = false;
  readonly #lanes: ReadLanes;
  /** What was read and not handed over. */
  #rest: Buffer | undefined;
  /** What is certainly left of the body, by its Content-Length; for one in chunks it is not known. */
  #bodyBytes: number | 'unknown' = 0;
  /** The size of the piece that was handed over last. */
  #pieceBytes = 0;
  #open = 0;
  #isWanted = false;
  #isInTurn = false;
  #isLingering = false;
  #isEvicted = false;
  /** What is left to do once all responses have left. */
  #afterAnswers: (() => void) | undefined;
  #hasEnded = false;

  constructor(accepted: Socket, lanes: ReadLanes) {
    // Nothing is read ahead: a piece is cut by what the parser found in the one before.
    super({ allowHalfOpen: accepted.allowHalfOpen, readableHighWaterMark: 0 });
    // Node takes it over for the bodies of requests: with 0 one that is not read to its end would block the next request.
    Object.defineProperty(this, 'readableHighWaterMark', { value: getDefaultHighWaterMark(false) });
    this.accepted = accepted;
    this.encrypted = accepted instanceof TLSSocket;
    this.#lanes = lanes;
    accepted.on('data', (chunk: Buffer) => {
      if (this.#isLingering || this.#isEvicted) return;
      accepted.pause();
      this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
      this.#handOver();
    });
    accepted.on('end', () => {
      this.#hasEnded = true;
      this.#handOver();
    });
    accepted.on('timeout', () => this.emit('timeout'));
    // An error without a listener would end the process, and there is no listener before this connection's turn.
    this.on('error', () => undefined);
    accepted.on('error', (error) => this.destroy(error));
    accepted.on('close', () => this.destroy());
  }

  /** A request has begun: what comes after its body may be requests again. */
  requestBegan({ headers }: IncomingMessage, response: ServerResponse): void {
    const isChunked = headers['transfer-encoding'] !== undefined;
    // The piece in which the headers end may hold as much of the body. What is counted too low comes in small pieces; what is counted
    // too high would be requests.
    this.#bodyBytes = isChunked ? 'unknown' : Math.max(0, Number(headers['content-length'] ?? 0) - this.#pieceBytes);
    this.#open++;
    response.once('close', () => {
      this.#open--;
      if (this.#open === 0) this.#afterAnswers?.();
      else this.#handOver();
    });
  }

  /** Whether it has sent bytes that were not processed yet. */
  get hasUnread(): boolean {
    return this.#rest !== undefined;
  }

  /** Whether it is the service that does not read on: what is late then is not the peer's fault. */
  get isHeldUp(): boolean {
    return this.#open >= MAX_OPEN;
  }

  /** Nothing is answered any more: what comes now has come after `Connection: close`. */
  get isLingering(): boolean {
    return this.#isLingering;
  }

  /** How Node's server ends a connection in good order. */
  destroySoon(): void {
    this.#afterAnswers = undefined;
    this.#endsWith(undefined);
  }

  /** Reads nothing more. Says `last` behind the answers to what came before it, and ends the connection. */
  reject(last: string): void {
    if (this.destroyed || this.#isLingering || this.#isEvicted) return;
    this.#discard();
    if (this.#open === 0) this.#endsWith(last);
    else this.#afterAnswers = () => this.#endsWith(last);
  }

  /** Ends the connection, because others need more what it holds. Nothing more is read from it, and its peer learns of the end after a while. */
  evict(): void {
    if (this.destroyed || this.#isEvicted) return;
    this.#isEvicted = true;
    this.#rest = undefined;
    this.accepted.pause();
    const timer = setTimeout(() => this.destroy(), EVICTED_MS);
    this.once('close', () => clearTimeout(timer));
  }

  #discard(): void {
    this.#isLingering = true;
    this.#rest = undefined;
    this.accepted.resume();
  }

  /**
   * Ends our side when `last` and all before it is written, and the connection when the peer has ended its side, or soon. Closing a
   * socket that holds unread bytes resets the connection, and a reset takes back the response that the peer has not read yet (RFC 9112,
   * section 9.6).
   */
  #endsWith(last: string | undefined): void {
    if (this.destroyed || this.writableEnded) return;
    this.#discard();
    const timer = setTimeout(() => this.destroy(), LINGER_MS);
    this.once('close', () => clearTimeout(timer));
    if (last === undefined) this.end();
    else this.end(last);
  }

  /** As of a socket: `timeout` is emitted when nothing has come or left for so many milliseconds; 0: never. */
  setTimeout(ms: number, onTimeout?: () => void): this {
    this.accepted.setTimeout(ms);
    if (onTimeout !== undefined) this.once('timeout', onTimeout);
    return this;
  }

  override destroy(error?: Error): this {
    return this.isKept ? this : super.destroy(error);
  }

  override _read(): void {
    this.#isWanted = true;
    // A stream keeps what is pushed inside of this method for later: it would be parsed outside of this connection's turn.
    process.nextTick(() => this.#handOver());
  }

  override _write(chunk: Buffer, _: BufferEncoding, written: (error?: Error | null) => void): void {
    this.accepted.write(chunk, written);
  }

  override _writev(chunks: readonly { chunk: Buffer }[], written: (error?: Error | null) => void): void {
    this.accepted.cork();
    for (const [at, { chunk }] of chunks.entries()) {
      if (at < chunks.length - 1) this.accepted.write(chunk);
      else this.accepted.write(chunk, written);
    }
    this.accepted.uncork();
  }

  override _final(ended: (error?: Error | null) => void): void {
    this.accepted.end(() => ended());
  }

  override _destroy(error: Error | null, destroyed: (error?: Error | null) => void): void {
    this.#rest = undefined;
    this.accepted.destroy();
    destroyed(error);
  }

  /** The connection that was accepted tells of its end in a later turn. */
  get #isOver(): boolean {
    return this.destroyed || this.accepted.destroyed;
  }

  /** Hands the next piece over when it is this connection's turn. */
  #handOver(): void {
    if (!this.#isWanted || this.#isInTurn || this.#isOver || this.#isEvicted || this.isHeldUp) return;
    if (this.#rest === undefined) {
      if (this.#hasEnded) this.push(null);
      else this.accepted.resume();
      return;
    }
    this.#isInTurn = true;
    const { reads, flow } = this.#bodyBytes === 0 ? this.#lanes.requests : this.#lanes.bodies;
    reads.run(flow, () => {
      this.#isInTurn = false;
      this.#pushPiece();
    });
  }

  #pushPiece(): void {
    const rest = this.#rest;
    if (rest === undefined || this.#isOver) return;
    const piece = rest.subarray(0, this.#mostBytes);
    this.#rest = rest.length > piece.length ? rest.subarray(piece.length) : undefined;
    if (this.#bodyBytes !== 'unknown') this.#bodyBytes = Math.max(0, this.#bodyBytes - piece.length);
    this.#pieceBytes = piece.length;
    // What takes the piece asks for the next one.
    this.#isWanted = false;
    this.push(piece);
  }

  get #mostBytes(): number {
    if (this.#bodyBytes === 'unknown') return CHUNKED_BYTES;
    return Math.max(HEAD_BYTES, Math.min(this.#bodyBytes, BODY_BYTES));
  }
}
