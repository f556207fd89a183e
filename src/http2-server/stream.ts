// One request and its response. It is not a Node stream: a small call is one object, and its response is one piece of a write.

import type { Socket } from 'node:net';
import { ErrorCode } from './connection-error.ts';
import { DEFAULT_WINDOW } from './frames.ts';
import type { HeaderList } from './hpack.ts';
import { ReceiveWindow } from './receive-window.ts';
import type { Receiver } from './receiver.ts';
import type { RequestHead } from './request-head.ts';
import { Sender } from './sender.ts';
import { type ReservationHost, StreamReservations } from './stream-reservations.ts';

/** What a stream needs of its connection. */
export interface StreamHost extends ReservationHost {
  readonly socket: Socket;
  /** Pauses reading from the peer for so many milliseconds. */
  throttle(milliseconds: number): void;
  /** Ends the connection, because too many of its requests are rejected. */
  disconnect(): void;
  /** Credits processed bytes to the window of the connection. */
  creditWindow(bytes: number): void;
  sendReset(stream: Stream, code: number): void;
  /** The response was sent and the request is incomplete: the rest of it is not needed. */
  answeredEarly(stream: Stream): void;
  closed(stream: Stream, wasAnswered: boolean): void;
}

export class Stream {
  readonly id: number;
  readonly head: RequestHead;
  readonly sender: Sender;
  /** The receive window of this stream. */
  readonly window: ReceiveWindow;
  /** When it was opened, in milliseconds of the clock of the connection. */
  readonly openedAt: number;
  /** Whether work was started for it, which a reset cannot undo. */
  hasBegun = false;
  remoteEnded = false;
  readonly #host: StreamHost;
  #receiver: Receiver | undefined;
  #localEnded = false;
  #closed = false;
  #unconsumed = 0;
  #received = 0;
  /** Undefined for a small call with an immediate response, which reserves nothing. */
  #kept: StreamReservations | undefined;
  #trailers: HeaderList = NO_TRAILERS;

  constructor(host: StreamHost, id: number, head: RequestHead, sendWindow: number, openedAt: number) {
    this.#host = host;
    this.id = id;
    this.head = head;
    this.openedAt = openedAt;
    this.window = new ReceiveWindow(host.writeQueue, id, DEFAULT_WINDOW);
    this.sender = new Sender(this, sendWindow);
  }

  /** The socket of the connection, which identifies the caller. */
  get socket(): Socket {
    return this.#host.socket;
  }

  /** Whether no response can be sent any more. */
  get isClosed(): boolean {
    return this.#closed || this.#localEnded;
  }

  /** Sends headers, one part of a body, and trailers, which may be empty. The blocks come from the header writer. */
  answer(headers: Buffer, body: Buffer, trailers: Buffer): void {
    if (this.isClosed) return;
    this.#localEnded = true;
    if (this.#host.writeQueue.pushWhole(this.sender, headers, body, trailers)) {
      this.ended();
      return;
    }
    this.#host.writeQueue.pushHeaders(this.id, headers, false);
    this.#send(body, trailers);
  }

  /** Sends headers; with `endsStream` they are the whole response. */
  respond(headers: Buffer, endsStream: boolean): void {
    if (this.isClosed) return;
    this.#host.writeQueue.pushHeaders(this.id, headers, endsStream);
    if (!endsStream) return;
    this.#localEnded = true;
    this.ended();
  }

  /** Sends a part of the body. Returns whether more may be written now; otherwise wait for `onDrained`. */
  write(part: Buffer): boolean {
    if (this.isClosed) return true;
    this.#send(part, undefined);
    return !this.sender.waits;
  }

  /** Ends the response, with trailers if there are any. */
  end(trailers?: Buffer): void {
    if (this.isClosed) return;
    this.#localEnded = true;
    this.#send(EMPTY, trailers ?? EMPTY);
  }

  /** Ends the stream at once. */
  reset(code: number): void {
    if (this.#closed) return;
    this.#host.sendReset(this, code);
    this.abort();
  }

  /** Credits processed bytes of the body to the windows. */
  consumed(bytes: number): void {
    if (this.#closed) return;
    this.#unconsumed -= bytes;
    this.#host.creditWindow(bytes);
    // After the end of the request no window is needed.
    if (!this.remoteEnded && !this.#localEnded) this.window.creditWindow(bytes);
  }

  /**
   * Releases bytes of a body that nobody reads: other streams may send as many, this one only what is left of its window. So a request
   * cannot upload without end.
   */
  discarded(bytes: number): void {
    if (this.#closed) return;
    this.#unconsumed -= bytes;
    this.#host.creditWindow(bytes);
  }

  /** Reserves bytes until the stream ends. Returns whether the connection and the process have room for them. */
  reserveBody(bytes: number): boolean {
    return this.#reservations().reserveBody(bytes);
  }

  /** Frees so many bytes that `reserveBody` has reserved, or all. */
  freeBody(bytes = Number.POSITIVE_INFINITY): void {
    this.#kept?.freeBody(bytes);
  }

  /**
   * Reserves memory for a response of at most so many bytes, before it is created, so that the response can wait for the peer. Returns
   * whether there is room. What the response does not need is freed when it is sent.
   */
  reserveAnswer(bytes: number): boolean {
    return !this.isClosed && this.#reservations().reserveAnswer(bytes);
  }

  /**
   * Ends the stream, to free its memory for others. Reading from its peer pauses for a while, so that it does not fill the memory again.
   */
  evict(): void {
    // Not `isClosed`, which is true for a completely written response that still waits.
    if (this.#closed) return;
    this.reset(ErrorCode.ENHANCE_YOUR_CALM);
    this.#host.throttle(EVICTED_MS);
  }

  /** Pauses reading from this peer for so many milliseconds. */
  throttle(milliseconds: number): void {
    this.#host.throttle(milliseconds);
  }

  /** Ends the connection, because too many of its requests are rejected. */
  disconnect(): void {
    this.#host.disconnect();
  }

  /** For the connection: the receiver of the request. */
  attach(receiver: Receiver): void {
    if (!this.#closed) this.#receiver = receiver;
  }

  /** For the connection: whether so many more bytes agree with the announced length of the request. */
  fits(bytes: number, isEnd: boolean): boolean {
    const { contentLength } = this.head;
    if (contentLength === undefined) return true;
    this.#received += bytes;
    return isEnd ? this.#received === contentLength : this.#received <= contentLength;
  }

  /** For the connection. `windowBytes` is the size of the part with its padding. */
  receive(part: Buffer, windowBytes: number, isEnd: boolean): void {
    this.#unconsumed += windowBytes;
    this.remoteEnded = isEnd;
    // The receiver does not get the padding, so it is credited here.
    if (windowBytes > part.length) this.consumed(windowBytes - part.length);
    if (this.#receiver === undefined) this.consumed(part.length);
    else if (part.length > 0) this.#receiver.onData(part);
  }

  /** For the connection: the request ends with these trailers. */
  receiveTrailers(trailers: HeaderList): void {
    this.remoteEnded = true;
    this.#trailers = trailers;
  }

  /** For the connection: the request is complete, and no reset came with it. */
  finishRequest(): void {
    if (this.#receiver === undefined) return;
    this.hasBegun = true;
    this.#receiver.onEnd(this.#trailers);
  }

  /** For the connection: everything that was read together with the headers has been passed on. */
  finishRead(): void {
    this.#receiver?.onRead?.();
  }

  /** For the connection: the stream has ended, whatever its state. */
  abort(): void {
    if (this.#closed) return;
    const receiver = this.#receiver;
    this.#close(false);
    receiver?.onGone();
  }

  pushData(payload: Buffer, endsStream: boolean): void {
    this.#host.writeQueue.pushData(this.id, payload, endsStream);
  }

  pushTrailers(block: Buffer): void {
    this.#host.writeQueue.pushHeaders(this.id, block, true);
  }

  drained(): void {
    this.#kept?.freeAnswer();
    this.#receiver?.onDrained?.();
  }

  /** The response has been sent. The unread rest of the request is released. */
  ended(): void {
    if (this.#closed) return;
    if (!this.remoteEnded) this.#host.answeredEarly(this);
    this.#close(true);
  }

  #send(body: Buffer, ending: Buffer | undefined): void {
    this.sender.add(body);
    if (ending !== undefined) this.sender.end(ending);
    if (this.sender.waits && !this.#reservations().wait(body.length)) this.reset(ErrorCode.ENHANCE_YOUR_CALM);
  }

  #reservations(): StreamReservations {
    this.#kept ??= new StreamReservations(this.#host, this.sender, () => this.evict());
    return this.#kept;
  }

  #close(wasAnswered: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#receiver = undefined;
    this.#host.writeQueue.forget(this.sender);
    this.#kept?.close();
    const rest = this.#unconsumed;
    this.#unconsumed = 0;
    if (rest > 0) this.#host.creditWindow(rest);
    this.#host.closed(this, wasAnswered);
  }
}

/** How long reading from the peer of an evicted stream pauses, in milliseconds. */
const EVICTED_MS = 1_000;
const EMPTY = Buffer.alloc(0);
const NO_TRAILERS: HeaderList = [];
