// One request and its response. It is no Node stream: a small call is one object, and its response one piece of a write.

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
  /** Reads nothing from the peer for so long, in milliseconds. */
  throttle(milliseconds: number): void;
  /** Ends the connection: the peer asks too much for what it may. */
  disconnect(): void;
  /** So many bytes need no room any more in the window of the connection. */
  creditWindow(bytes: number): void;
  sendReset(stream: Stream, code: number): void;
  /** The response was sent, and the request is not complete: the rest of it is not needed. */
  answeredEarly(stream: Stream): void;
  closed(stream: Stream, wasAnswered: boolean): void;
}

export class Stream {
  readonly id: number;
  readonly head: RequestHead;
  readonly sender: Sender;
  /** What the peer may still send on this stream. */
  readonly window: ReceiveWindow;
  /** When it was opened, in milliseconds of the connection's clock. */
  readonly openedAt: number;
  /** Whether work was begun for it, which a reset cannot take back. */
  hasBegun = false;
  remoteEnded = false;
  readonly #host: StreamHost;
  #receiver: Receiver | undefined;
  #localEnded = false;
  #closed = false;
  #unconsumed = 0;
  #received = 0;
  /** A small call that is answered at once keeps nothing, and has none. */
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

  /** The connection's socket: who is calling. */
  get socket(): Socket {
    return this.#host.socket;
  }

  /** Whether nothing can be answered any more. */
  get isClosed(): boolean {
    return this.#closed || this.#localEnded;
  }

  /** Sends headers, one part of a body, and trailers, which may be empty. Blocks as the header writer makes them. */
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

  /** Sends a part of the body. Returns whether more is welcome now; otherwise `onDrained` tells. */
  write(part: Buffer): boolean {
    if (this.isClosed) return true;
    this.#send(part, undefined);
    return !this.sender.waits;
  }

  /** Ends the response, with trailers where there are any. */
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

  /** So many bytes of the body need no room any more. */
  consumed(bytes: number): void {
    if (this.#closed) return;
    this.#unconsumed -= bytes;
    this.#host.creditWindow(bytes);
    // Who will send nothing more needs no room.
    if (!this.remoteEnded && !this.#localEnded) this.window.creditWindow(bytes);
  }

  /** Keeps so many bytes until the stream is over. Returns whether the connection, and the process, have room for them. */
  reserveBody(bytes: number): boolean {
    return this.#reservations().reserveBody(bytes);
  }

  /** Frees what `reserveBody` has reserved. */
  freeBody(): void {
    this.#kept?.freeBody();
  }

  /**
   * Reserves room for a response of at most so many bytes, before it is made: then it waits for the peer whatever else does. Returns
   * whether there is any. What the response does not need is free when it is sent.
   */
  reserveAnswer(bytes: number): boolean {
    return !this.isClosed && this.#reservations().reserveAnswer(bytes);
  }

  /** Ends the stream, because others need more what it holds. Its peer is not read from for a while: it would only bring the next. */
  evict(): void {
    // Not `isClosed`: an answer that is written whole is what waits.
    if (this.#closed) return;
    this.reset(ErrorCode.ENHANCE_YOUR_CALM);
    this.#host.throttle(EVICTED_MS);
  }

  /** Reads nothing from this peer for so long, in milliseconds. */
  throttle(milliseconds: number): void {
    this.#host.throttle(milliseconds);
  }

  /** Ends the connection, because the peer asks too much for what it may. */
  disconnect(): void {
    this.#host.disconnect();
  }

  /** For the connection: who takes what comes. */
  attach(receiver: Receiver): void {
    if (!this.#closed) this.#receiver = receiver;
  }

  /** For the connection: whether so many more bytes are as many as the request has announced, or may become as many. */
  fits(bytes: number, isEnd: boolean): boolean {
    const { contentLength } = this.head;
    if (contentLength === undefined) return true;
    this.#received += bytes;
    return isEnd ? this.#received === contentLength : this.#received <= contentLength;
  }

  /** For the connection. `windowBytes` is the part with its padding. */
  receive(part: Buffer, windowBytes: number, isEnd: boolean): void {
    this.#unconsumed += windowBytes;
    this.remoteEnded = isEnd;
    // Padding is not passed to the consumer.
    if (windowBytes > part.length) this.consumed(windowBytes - part.length);
    if (this.#receiver === undefined) this.consumed(part.length);
    else if (part.length > 0) this.#receiver.onData(part);
  }

  /** For the connection: the request ends with these. */
  receiveTrailers(trailers: HeaderList): void {
    this.remoteEnded = true;
    this.#trailers = trailers;
  }

  /** For the connection: the request is complete, and nothing that was read with it has ended it. */
  finishRequest(): void {
    if (this.#receiver === undefined) return;
    this.hasBegun = true;
    this.#receiver.onEnd(this.#trailers);
  }

  /** For the connection: nothing more was read with the headers. */
  finishRead(): void {
    this.#receiver?.onRead?.();
  }

  /** For the connection: the stream is over, whatever its state. */
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

  /** The response has left. The unread rest of the request is released. */
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

/** How long nothing is read from a peer whose stream was given up for others, in milliseconds. */
const EVICTED_MS = 1_000;
const EMPTY = Buffer.alloc(0);
const NO_TRAILERS: HeaderList = [];
