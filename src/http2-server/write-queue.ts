// The outgoing bytes of a connection. All frames of one turn of the event loop are sent in one write. Bodies wait for the flow-control
// windows and for the socket; the waiting bytes are limited in size and time.

import type { Socket } from 'node:net';
import { flowError } from './connection-error.ts';
import {
  DEFAULT_WINDOW,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  writeFrame,
  writeFrameHeader,
} from './frames.ts';
import { EMPTY_TABLE } from './header-writer.ts';
import type { Sender } from './sender.ts';
import { WriteTimeout } from './write-timeout.ts';

/** Smaller parts of bodies are copied after their frame header. */
const COPIED_BYTES = 4 * 1024;
/** The size of one write, three frames of a body, a little below the high-water mark of the socket. */
const WRITTEN_BYTES = 3 * MAX_FRAME_BYTES;

export interface WriteQueueOptions {
  /** Bodies that may wait on one connection, in bytes. */
  readonly maxWaitingBytes: number;
  /** The longest time in which a waiting stream sends no whole frame, or a full socket accepts no bytes, in milliseconds. */
  readonly stallMs: number;
  /** The longest time until a response that has to wait is sent completely, in milliseconds. */
  readonly answerMs: number;
  readonly now: () => number;
  /** The socket is full, or accepts bytes again. */
  readonly onBlocked: (isBlocked: boolean) => void;
  /** Bytes of waiting bodies were sent. */
  readonly onSent: (bytes: number) => void;
  /** The peer reads this response too slowly. */
  readonly onStalled: (sender: Sender) => void;
  /** The socket has been full for `stallMs`: the peer reads nothing at all. */
  readonly onStuck: () => void;
}

export class WriteQueue {
  readonly #socket: Socket;
  readonly #options: WriteQueueOptions;
  #pieces: Buffer[] = [];
  #pushedBytes = 0;
  #isScheduled = false;
  /** Since when the socket is full. */
  #blockedSince: number | undefined;
  #isClosed = false;
  /** Whether bodies wait although windows and socket would accept them. */
  #isPaused = false;
  /** The send window of the connection. */
  #window = DEFAULT_WINDOW;
  /** The first header block announces a dynamic table of size 0, which our blocks do not use. */
  #firstBlock = true;
  readonly #waiting = new Set<Sender>();
  #waitingBytes = 0;
  /** The part of them with a reservation. */
  #reservedWaitingBytes = 0;
  /** Bytes reserved for responses, whether they wait or are being created. */
  #reservedBytes = 0;
  readonly #writeTimeout = new WriteTimeout(() => this.#findStalled());

  constructor(socket: Socket, options: WriteQueueOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('drain', () => this.#unblock());
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Sends a frame without flow control. */
  push(frame: Buffer): void {
    if (this.#isClosed) return;
    this.#pieces.push(frame);
    this.#pushedBytes += frame.length;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Runs after all responses of this turn were pushed.
    process.nextTick(flush, this);
  }

  /** Sends a part of a body that fits the windows. A large part is not copied, so it must not be changed. */
  pushData(id: number, payload: Buffer, endsStream: boolean): void {
    const flags = endsStream ? Flag.END_STREAM : 0;
    if (payload.length < COPIED_BYTES) {
      this.push(writeFrame(FrameType.DATA, flags, id, payload));
      return;
    }
    const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
    writeFrameHeader(header, 0, payload.length, FrameType.DATA, flags, id);
    this.push(header);
    this.push(payload);
  }

  pushHeaders(id: number, block: Buffer, endsStream: boolean): void {
    const whole = this.#begin(block);
    const end = endsStream ? Flag.END_STREAM : 0;
    for (let at = 0; ; at += MAX_FRAME_BYTES) {
      const isLast = at + MAX_FRAME_BYTES >= whole.length;
      const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const flags = (at === 0 ? end : 0) | (isLast ? Flag.END_HEADERS : 0);
      this.push(writeFrame(type, flags, id, whole.subarray(at, at + MAX_FRAME_BYTES)));
      if (isLast) return;
    }
  }

  /**
   * Sends headers, body and trailers, if there are any, in one piece. Returns false if the body does not fit the windows or one frame.
   */
  pushWhole(sender: Sender, headers: Buffer, body: Buffer, trailers: Buffer): boolean {
    const { id } = sender;
    const { length } = body;
    if (this.#isStopped || length > MAX_FRAME_BYTES || length > this.#window || length > sender.window) return false;
    const block = this.#begin(headers);
    this.#window -= length;
    sender.window -= length;
    const hasTrailers = trailers.length > 0;
    const frames = hasTrailers ? 3 : 2;
    const out = Buffer.allocUnsafe(frames * FRAME_HEADER_BYTES + block.length + length + trailers.length);
    writeFrameHeader(out, 0, block.length, FrameType.HEADERS, Flag.END_HEADERS, id);
    let at = FRAME_HEADER_BYTES + block.copy(out, FRAME_HEADER_BYTES);
    writeFrameHeader(out, at, length, FrameType.DATA, hasTrailers ? 0 : Flag.END_STREAM, id);
    at += FRAME_HEADER_BYTES + body.copy(out, at + FRAME_HEADER_BYTES);
    if (hasTrailers) {
      writeFrameHeader(out, at, trailers.length, FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, id);
      trailers.copy(out, at + FRAME_HEADER_BYTES);
    }
    this.push(out);
    return true;
  }

  /** Reserves bytes for a response that is not created yet. Returns whether there is room. Every reservation is freed once. */
  reserve(bytes: number): boolean {
    if (!this.#hasRoom(bytes)) return false;
    this.#reservedBytes += bytes;
    return true;
  }

  free(bytes: number): void {
    this.#reservedBytes -= bytes;
  }

  #hasRoom(bytes: number): boolean {
    const unreserved = this.#waitingBytes - this.#reservedWaitingBytes;
    return unreserved + this.#reservedBytes + bytes <= this.#options.maxWaitingBytes;
  }

  /** Adds a stream with waiting bytes. Returns whether there is room; if not, the stream must end. */
  wait(sender: Sender, bytes: number): boolean {
    this.#waitingBytes += bytes;
    if (sender.isReserved) this.#reservedWaitingBytes += bytes;
    if (!this.#waiting.has(sender)) {
      this.#waiting.add(sender);
      sender.beginAnswerWait(this.#options.now());
    }
    if (!sender.isReserved && !this.#hasRoom(0)) return false;
    this.#writeTimeout.start();
    this.pump();
    return true;
  }

  /** Removes a stream that sends nothing more. */
  forget(sender: Sender): void {
    if (!this.#waiting.delete(sender)) return;
    this.#left(sender, sender.waitingBytes);
  }

  #left(sender: Sender, bytes: number): void {
    this.#waitingBytes -= bytes;
    if (sender.isReserved) this.#reservedWaitingBytes -= bytes;
  }

  /** The peer has credited the send window of the connection. */
  widen(bytes: number): void {
    this.#window += bytes;
    if (this.#window > MAX_WINDOW) throw flowError('the window is too wide');
    this.pump();
  }

  /** Sends what windows and socket allow, one frame of each stream in turn. */
  pump(): void {
    for (let sent = true; sent; ) {
      sent = false;
      for (const sender of this.#waiting) {
        if (this.#isStopped) return;
        const bytes = sender.sendFrame(Math.min(this.#window, MAX_FRAME_BYTES), this.#options.now());
        if (bytes === undefined) continue;
        this.#window -= bytes;
        this.#left(sender, bytes);
        this.#options.onSent(bytes);
        sent = true;
        if (sender.waits) continue;
        this.#waiting.delete(sender);
        sender.onDrained(this.#options.now());
      }
      // Written soon, so that the socket reports when it is full.
      if (this.#pushedBytes >= WRITTEN_BYTES && this.#waiting.size > 0) this.flush();
    }
  }

  /** Pauses bodies, and the trailers after them, until they are resumed. */
  pauseBodies(): void {
    this.#isPaused = true;
  }

  resumeBodies(): void {
    this.#isPaused = false;
    this.pump();
  }

  /** Writes everything that was pushed. */
  flush(): void {
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    const bytes = this.#pushedBytes;
    this.#pieces = [];
    this.#pushedBytes = 0;
    if (this.#socket.destroyed) return;
    const wantsMore = bytes < WRITTEN_BYTES ? this.#writeCopied(pieces) : this.#writeInPlace(pieces);
    if (wantsMore || this.#blockedSince !== undefined) return;
    this.#blockedSince = this.#options.now();
    this.#writeTimeout.start();
    this.#options.onBlocked(true);
  }

  /** Writes the rest, and accepts nothing more. */
  close(): void {
    this.flush();
    this.#isClosed = true;
    this.#blockedSince = undefined;
    this.#waiting.clear();
    this.#waitingBytes = 0;
    this.#reservedWaitingBytes = 0;
    this.#writeTimeout.stop();
  }

  get #isStopped(): boolean {
    return this.#isPaused || this.#blockedSince !== undefined;
  }

  /** For the scheduled flush only. */
  runScheduled(): void {
    this.#isScheduled = false;
    this.flush();
  }

  /** One write of a copy is cheaper than many small pieces. */
  #writeCopied(pieces: readonly Buffer[]): boolean {
    return this.#socket.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
  }

  #writeInPlace(pieces: readonly Buffer[]): boolean {
    let wantsMore = true;
    this.#socket.cork();
    for (const piece of pieces) wantsMore = this.#socket.write(piece);
    this.#socket.uncork();
    return wantsMore;
  }

  #begin(block: Buffer): Buffer {
    if (!this.#firstBlock) return block;
    this.#firstBlock = false;
    return Buffer.concat([Buffer.from([EMPTY_TABLE]), block]);
  }

  #unblock(): void {
    if (this.#blockedSince === undefined) return;
    this.#blockedSince = undefined;
    this.#options.onBlocked(false);
    this.pump();
  }

  /** Returns whether anything still waits. */
  #findStalled(): boolean {
    const { now, stallMs, answerMs, onStalled, onStuck } = this.#options;
    const time = now();
    const before = time - stallMs;
    if (this.#blockedSince !== undefined && this.#blockedSince < before) {
      onStuck();
      return false;
    }
    for (const sender of Array.from(this.#waiting)) {
      if (sender.waitsSince < before || sender.answerSince < time - answerMs) onStalled(sender);
    }
    return this.#waiting.size > 0 || this.#blockedSince !== undefined;
  }
}

function flush(writeQueue: WriteQueue): void {
  writeQueue.runScheduled();
}
