// A connection as Node's HTTP/1.1 server sees it. Node parses all bytes of a socket at once, one socket after another: a hundred peers
// with 64 KiB of small requests each would block the event loop for most of a second. This socket passes the bytes on in pieces, in the
// same fair queue as those of HTTP/2, and stops when the connection ends.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex, getDefaultHighWaterMark } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { ByteBlock, limitReadAhead, ownChunk, passOn, releaseChunk } from '../../http2-server/index.ts';
import { type Rate, type ReadLanes, TokenBucket } from '../../limits/index.ts';

/**
 * Sizes of pieces. One that may contain requests has room for a dozen of the smallest: Node continues to parse a piece after its first
 * request has closed the connection, and creates an error with a stack for each further request in it. Then a piece of a body of unknown
 * length; and one of known length.
 */
const [HEAD_BYTES, CHUNKED_BYTES, BODY_BYTES] = [512, 2 * 1024, 32 * 1024];
/** Requests without a response on one connection, above which nothing more is read from it. */
const MAX_OPEN = 8;
/** Bytes that wait to be passed on, above which the connection is not read. */
const MAX_WAITING_BYTES = 16 * 1024;
/** Pieces that arrive below this size are counted. */
const SMALL_BYTES = 128;
/** Small pieces in succession, above which the next ones are joined until the next turn. */
const SMALL_AT_ONCE = 4;
/** Small pieces of a connection. Each request adds as many as a client uses that writes it line by line. */
const SMALL_PIECES: Rate = { burst: 4_000, perSecond: 200 };
const SMALL_PER_REQUEST = 64;
/** Each larger piece adds as many: some clients write the size of a chunk, its data and the line ends one by one. */
const SMALL_PER_LARGE = 3;
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
  readonly #onFailure: (error: Error) => void;
  /** Bytes that were read and not passed on, in one block: over TLS each record, of one byte perhaps, arrives as a piece. */
  readonly #rest = new ByteBlock();
  readonly #smallPieces = new TokenBucket(SMALL_PIECES, performance.now());
  /** Small pieces since the last one that was not, or the last request. */
  #smallInSuccession = 0;
  /** The least number of bytes left of the body, by its Content-Length; `unknown` for a chunked body. */
  #bodyBytes: number | 'unknown' = 0;
  /** The size of the piece that was passed on last. */
  #pieceBytes = 0;
  #open = 0;
  /** The response to the newest request, until it is closed. */
  #newest: ServerResponse | undefined;
  #isWanted = false;
  #isInTurn = false;
  #isLingering = false;
  #isEvicted = false;
  /** Runs when all responses have been sent. */
  #afterAnswers: (() => void) | undefined;
  #hasEnded = false;

  /** `onFailure` is called if the connection is closed because of how its bytes arrive. */
  constructor(accepted: Socket, lanes: ReadLanes, onFailure: (error: Error) => void = () => undefined) {
    // No read-ahead: the size of a piece depends on what the parser found in the previous one.
    super({ allowHalfOpen: accepted.allowHalfOpen, readableHighWaterMark: 0 });
    // Node also uses this limit for the bodies of requests: with 0, one that is not read completely would block the next request.
    Object.defineProperty(this, 'readableHighWaterMark', { value: getDefaultHighWaterMark(false) });
    this.accepted = accepted;
    this.encrypted = accepted instanceof TLSSocket;
    this.#lanes = lanes;
    this.#onFailure = onFailure;
    limitReadAhead(accepted);
    accepted.on('data', (chunk: Buffer) => this.#onChunk(chunk));
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
    this.#newest = response;
    this.#smallInSuccession = 0;
    this.#smallPieces.charge(performance.now(), -SMALL_PER_REQUEST);
    response.once('close', () => {
      this.#open--;
      if (this.#newest === response) this.#newest = undefined;
      if (this.#afterAnswers !== undefined) this.#endIfAnswered();
      else this.#handOver();
    });
  }

  /** Whether bytes of the peer wait to be parsed. */
  get hasUnread(): boolean {
    return this.#rest.length > 0;
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

  /** Stops reading, sends `last` after the pending responses, and ends the connection. An incomplete request has no other response. */
  reject(last: string): void {
    if (this.destroyed || this.#isLingering || this.#isEvicted) return;
    this.#discard();
    this.#afterAnswers = () => this.#endsWith(last);
    this.#endIfAnswered();
  }

  /** Ends the connection to free its memory. Nothing more is read from it; the peer sees the end after a delay. */
  evict(): void {
    if (this.destroyed || this.#isEvicted) return;
    this.#isEvicted = true;
    this.#rest.drop();
    this.accepted.pause();
    const timer = setTimeout(() => this.destroy(), EVICTED_MS);
    this.once('close', () => clearTimeout(timer));
  }

  #endIfAnswered(): void {
    const newest = this.#newest;
    const hasNoOther = newest !== undefined && !newest.req.complete && !newest.headersSent;
    if (this.#open === (hasNoOther ? 1 : 0)) this.#afterAnswers?.();
  }

  #discard(): void {
    this.#isLingering = true;
    this.#rest.drop();
    this.accepted.resume();
  }

  /**
   * Ends our side after `last` was written, and the connection when the peer ends its side, or soon after. Closing a socket with unread
   * bytes resets the connection, and the peer may then lose a response that it has not read yet (RFC 9112, section 9.6).
   */
  #endsWith(last: string | undefined): void {
    if (this.destroyed || this.writableEnded || this.#isEvicted) return;
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
    this.#rest.drop();
    this.accepted.destroy();
    destroyed(error);
  }

  /** The accepted connection emits `close` in a later turn. */
  get #isOver(): boolean {
    return this.destroyed || this.accepted.destroyed;
  }

  #onChunk(chunk: Buffer): void {
    if (this.#isEvicted) return;
    const isSmall = chunk.length < SMALL_BYTES;
    this.#smallInSuccession = isSmall ? this.#smallInSuccession + 1 : 0;
    if (!isSmall) this.#smallPieces.charge(performance.now(), -SMALL_PER_LARGE);
    else if (!this.#smallPieces.take(performance.now())) {
      this.#onFailure(new Error('requests arrive in too many pieces'));
      this.destroy();
      return;
    }
    if (this.#isLingering) return;
    ownChunk(chunk);
    this.#rest.add(chunk);
    if (this.#rest.length >= MAX_WAITING_BYTES) this.accepted.pause();
    this.#handOver();
  }

  /** Passes the next piece on when it is this connection's turn. */
  #handOver(): void {
    if (!this.#isWanted || this.#isInTurn || this.#isOver || this.#isEvicted || this.isHeldUp) return;
    if (this.#rest.length === 0) {
      if (this.#hasEnded) this.push(null);
      else this.accepted.resume();
      return;
    }
    this.#isInTurn = true;
    const { reads, flow } = this.#bodyBytes === 0 ? this.#lanes.requests : this.#lanes.bodies;
    const work = () => {
      this.#isInTurn = false;
      this.#pushPiece();
    };
    if (this.#smallInSuccession > SMALL_AT_ONCE) reads.defer(flow, work);
    else reads.run(flow, work);
  }

  #pushPiece(): void {
    if (this.#rest.length === 0 || this.#isOver) return;
    const rest = this.#rest.take();
    const first = rest.subarray(0, this.#mostBytes);
    const piece = passOn(first);
    if (rest.length > piece.length) this.#rest.borrow(rest.subarray(piece.length));
    else if (piece.buffer !== rest.buffer) releaseChunk(rest);
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
