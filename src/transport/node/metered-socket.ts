// A connection as Node's HTTP/1.1 server sees it. Node parses all bytes of a socket at once, one socket after another: a hundred peers
// with 64 KiB of small requests each would block the event loop for most of a second. This socket passes the bytes on in pieces, in the
// same fair queue as those of HTTP/2, and stops when the connection ends.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex, getDefaultHighWaterMark } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { ReadLanes } from '../../limits/index.ts';

/**
 * Sizes of pieces. One that may contain requests has room for a dozen of the smallest: Node continues to parse a piece after its first
 * request has closed the connection, and creates an error with a stack for each further request in it. Then a piece of a body of unknown
 * length; and one of known length.
 */
const [HEAD_BYTES, CHUNKED_BYTES, BODY_BYTES] = [512, 2 * 1024, 32 * 1024];
/** Requests without a response on one connection, above which nothing more is read from it. */
const MAX_OPEN = 8;
/** How long further bytes are discarded, in milliseconds. */
const LINGER_MS = 1_000;
/** How long an evicted connection stays open, in milliseconds: so that its peer does not fill the next one at once. */
const EVICTED_MS = 1_000;

export class MeteredSocket extends Duplex {
  /** The accepted connection, which knows the peer and its certificate. */
  readonly accepted: Socket;
  /** `connect-node` and others read this property. */
  readonly encrypted: boolean;
  /** Set while idle connections are closed, so that this one is not. */
  isKept = false;
  readonly #lanes: ReadLanes;
  /** Bytes that were read and not passed on. */
  #rest: Buffer | undefined;
  /** The least number of bytes left of the body, by its Content-Length; `unknown` for a chunked body. */
  #bodyBytes: number | 'unknown' = 0;
  /** The size of the piece that was passed on last. */
  #pieceBytes = 0;
  #open = 0;
  #isWanted = false;
  #isInTurn = false;
  #isLingering = false;
  #isEvicted = false;
  /** Runs when all responses have been sent. */
  #afterAnswers: (() => void) | undefined;
  #hasEnded = false;

  constructor(accepted: Socket, lanes: ReadLanes) {
    // No read-ahead: the size of a piece depends on what the parser found in the previous one.
    super({ allowHalfOpen: accepted.allowHalfOpen, readableHighWaterMark: 0 });
    // Node also uses this limit for the bodies of requests: with 0, one that is not read completely would block the next request.
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
    // An error without a listener would end the process, and Node's server adds one only in this connection's turn.
    this.on('error', () => undefined);
    accepted.on('error', (error) => this.destroy(error));
    accepted.on('close', () => this.destroy());
  }

  /** A request has started; the bytes after its body may be further requests. */
  requestBegan({ headers }: IncomingMessage, response: ServerResponse): void {
    const isChunked = headers['transfer-encoding'] !== undefined;
    // The piece with the end of the headers may also contain a part of the body. A count that is too low only makes pieces smaller; one
    // that is too high would treat requests as a body.
    this.#bodyBytes = isChunked ? 'unknown' : Math.max(0, Number(headers['content-length'] ?? 0) - this.#pieceBytes);
    this.#open++;
    response.once('close', () => {
      this.#open--;
      if (this.#open === 0) this.#afterAnswers?.();
      else this.#handOver();
    });
  }

  /** Whether bytes of the peer wait to be parsed. */
  get hasUnread(): boolean {
    return this.#rest !== undefined;
  }

  /** Whether the service has stopped reading, so that the peer is not late. */
  get isHeldUp(): boolean {
    return this.#open >= MAX_OPEN;
  }

  /** Whether the connection discards what arrives, because `Connection: close` was sent. */
  get isLingering(): boolean {
    return this.#isLingering;
  }

  /** Node's server calls this to end a connection gracefully. */
  destroySoon(): void {
    this.#afterAnswers = undefined;
    this.#endsWith(undefined);
  }

  /** Stops reading, sends `last` after the pending responses, and ends the connection. */
  reject(last: string): void {
    if (this.destroyed || this.#isLingering || this.#isEvicted) return;
    this.#discard();
    if (this.#open === 0) this.#endsWith(last);
    else this.#afterAnswers = () => this.#endsWith(last);
  }

  /** Ends the connection to free its memory. Nothing more is read from it; the peer sees the end after a delay. */
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
   * Ends our side after `last` was written, and the connection when the peer ends its side, or soon after. Closing a socket with unread
   * bytes resets the connection, and the peer may then lose a response that it has not read yet (RFC 9112, section 9.6).
   */
  #endsWith(last: string | undefined): void {
    if (this.destroyed || this.writableEnded) return;
    this.#discard();
    const timer = setTimeout(() => this.destroy(), LINGER_MS);
    this.once('close', () => clearTimeout(timer));
    if (last === undefined) this.end();
    else this.end(last);
  }

  /** As in `net.Socket`: `timeout` is emitted after so many milliseconds without activity; 0: never. */
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
    // A stream queues what is pushed inside this method: it would be parsed outside this connection's turn.
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

  /** The accepted connection emits `close` in a later turn. */
  get #isOver(): boolean {
    return this.destroyed || this.accepted.destroyed;
  }

  /** Passes the next piece on when it is this connection's turn. */
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
    // The reader of the piece requests the next one.
    this.#isWanted = false;
    this.push(piece);
  }

  get #mostBytes(): number {
    if (this.#bodyBytes === 'unknown') return CHUNKED_BYTES;
    return Math.max(HEAD_BYTES, Math.min(this.#bodyBytes, BODY_BYTES));
  }
}
