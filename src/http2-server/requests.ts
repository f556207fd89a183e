// The state of the requests of a connection, driven by its frames. All frames are attacker-controlled: each is first checked against the
// state of its stream, and frames that no call needs are counted.

import type { AbuseBudget } from './abuse-budget.ts';
import { ConnectionError, calmDown, ErrorCode, flowError, protocolError } from './connection-error.ts';
import { blockOf, unpadded } from './frame-rules.ts';
import { DEFAULT_WINDOW, Flag, FrameType, MAX_WINDOW, resetFrame } from './frames.ts';
import { HeaderBlocks } from './header-blocks.ts';
import type { LateResets } from './late-resets.ts';
import type { Limits } from './limits.ts';
import type { ReceiveWindow } from './receive-window.ts';
import type { Receiver } from './receiver.ts';
import { Stream, type StreamHost } from './stream.ts';
import type { StreamMemory } from './stream-memory.ts';
import type { StreamTable } from './stream-table.ts';
import type { WriteQueue } from './write-queue.ts';

/** Smaller parts of a body count as control frames, because they cost more than they carry. */
const SMALL_DATA_BYTES = 32;

/** What the requests share with their connection. */
export interface RequestParts {
  readonly limits: Limits;
  readonly now: () => number;
  readonly host: StreamHost;
  readonly writeQueue: WriteQueue;
  readonly streams: StreamTable;
  readonly abuseBudget: AbuseBudget;
  /** Streams whose response was sent before their request was complete. */
  readonly lateResets: LateResets;
  /** The receive window of the connection. */
  readonly window: ReceiveWindow;
  readonly serve: (stream: Stream) => Receiver;
  /** Reserves memory for incomplete header blocks. */
  readonly openMemory: () => StreamMemory;
  /** Whether new streams are rejected. */
  readonly isClosing: () => boolean;
}

export class Requests {
  readonly #parts: RequestParts;
  readonly #blocks: HeaderBlocks;
  /** Streams that became complete in the last read. */
  readonly #complete: Stream[] = [];
  /**
   * Streams that were opened in the last read and wait for its end. Only open ones: under load the complete ones of each read take all of
   * its turn, and those that have ended would be kept for as long as the load lasts.
   */
  readonly #fresh: Stream[] = [];
  #initialWindow = DEFAULT_WINDOW;
  /** When the last bytes were read, in milliseconds. */
  #time = 0;

  constructor(parts: RequestParts) {
    this.#parts = parts;
    const { limits, now, openMemory } = parts;
    this.#blocks = new HeaderBlocks(limits.maxHeaderBytes, limits.frameMs, now, openMemory);
  }

  /** Whether a header block is incomplete. */
  get hasOpenBlock(): boolean {
    return this.#blocks.open !== undefined;
  }

  /** Called when the connection has ended. */
  close(): void {
    this.#blocks.drop();
  }

  /** Called before the frames of one read. */
  begin(): void {
    this.#time = this.#parts.now();
  }

  /**
   * Called after the frames of one read, so that no work is started for a request whose reset came with it. `mayContinue` is called
   * between two requests. Returns whether all were started; otherwise call it again.
   */
  end(mayContinue: () => boolean): boolean {
    for (;;) {
      const stream = this.#complete.shift();
      stream?.finishRequest();
      const isFresh = stream !== undefined && this.#dropFresh(stream);
      const fresh = isFresh ? stream : this.#takeOldestFresh(stream === undefined);
      fresh?.finishRead();
      if (stream === undefined && fresh === undefined) return true;
      if (!mayContinue()) return this.#complete.length === 0 && this.#fresh.length === 0;
    }
  }

  /** The stream that has been fresh for longest; one that is complete only if all of these are finished. */
  #takeOldestFresh(isLast: boolean): Stream | undefined {
    const oldest = this.#fresh[0];
    if (oldest === undefined || (oldest.remoteEnded && !isLast)) return undefined;
    return this.#fresh.shift();
  }

  /** Returns whether the stream was fresh. */
  #dropFresh(stream: Stream): boolean {
    if (this.#fresh.length === 0) return false;
    // Nearly always the first.
    const place = this.#fresh.indexOf(stream);
    if (place === 0) this.#fresh.shift();
    else if (place > 0) this.#fresh.splice(place, 1);
    return place >= 0;
  }

  /** A stream has ended. */
  closed(stream: Stream): void {
    this.#dropFresh(stream);
  }

  /** The age of a stream, in milliseconds. */
  ageOf(stream: Stream): number {
    return this.#time - stream.openedAt;
  }

  /** The peer has changed the initial window size. */
  resizeWindows(initialWindow: number): void {
    const difference = initialWindow - this.#initialWindow;
    this.#initialWindow = initialWindow;
    for (const { sender } of this.#parts.streams.all()) {
      sender.window += difference;
      if (sender.window > MAX_WINDOW) throw flowError('the window is too wide');
    }
    this.#parts.writeQueue.pump();
  }

  /** Throws if this frame interrupts a header block. */
  checkBlock(type: number, id: number): void {
    const { open } = this.#blocks;
    if (open !== undefined && (type !== FrameType.CONTINUATION || id !== open.id)) {
      throw protocolError('a header block is interrupted');
    }
  }

  onHeaders(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const block = blockOf(flags, id, bytes, start, end);
    const endsStream = (flags & Flag.END_STREAM) !== 0;
    if (flags & Flag.END_HEADERS) this.#onBlock(id, endsStream, block);
    else this.#blocks.begin(id, endsStream, block);
  }

  onContinuation(flags: number, id: number, part: Buffer): void {
    const { open } = this.#blocks;
    if (open === undefined) throw protocolError('a CONTINUATION continues nothing');
    this.#blocks.add(part);
    if (flags & Flag.END_HEADERS) this.#onBlock(id, open.endsStream, this.#blocks.end());
  }

  onData(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { streams, window, abuseBudget, lateResets } = this.#parts;
    const windowBytes = end - start;
    const isEnd = (flags & Flag.END_STREAM) !== 0;
    if (streams.isIdle(id)) throw protocolError('DATA without a request');
    if (!window.take(windowBytes)) throw flowError('the window is overrun');
    const part = unpadded(flags, bytes, start, end);
    if (part.length < SMALL_DATA_BYTES && !isEnd) abuseBudget.spendControlFrame();
    const stream = streams.get(id);
    const fault = faultOfData(stream, windowBytes, part.length, isEnd);
    if (fault === undefined) {
      stream!.receive(part, windowBytes, isEnd);
      if (isEnd) this.#complete.push(stream!);
      return;
    }
    window.creditWindow(windowBytes);
    if (stream === undefined && this.#isForgiven(id)) {
      if (isEnd) lateResets.forget(id);
      abuseBudget.spendControlFrame();
    } else this.streamError(id, fault);
  }

  onReset(id: number): void {
    const { streams, abuseBudget, lateResets } = this.#parts;
    if (streams.isIdle(id)) throw protocolError('RST_STREAM without a request');
    const stream = streams.get(id);
    if (stream === undefined) {
      lateResets.forget(id);
      abuseBudget.spendControlFrame();
    } else {
      stream.abort();
      this.#spendReset(stream);
    }
  }

  /** Resets a stream for an error of the peer, in a frame that is being read. */
  streamError(id: number, code: number): void {
    const stream = this.#parts.streams.get(id);
    this.#reject(id, code);
    stream?.abort();
    this.#spendReset(stream);
  }

  #onBlock(id: number, endsStream: boolean, block: Buffer): void {
    const { streams, abuseBudget, host, limits, serve, isClosing } = this.#parts;
    if (!streams.claim(id)) {
      this.#onTrailers(id, endsStream, block);
      return;
    }
    // The dynamic table must process the block even if the stream is rejected.
    const head = this.#blocks.readHead(block);
    if (isClosing()) {
      abuseBudget.spendControlFrame(); // After GOAWAY: the peer tries it elsewhere.
    } else if (streams.size >= limits.maxConcurrentStreams) {
      abuseBudget.spendControlFrame();
      this.#reject(id, ErrorCode.REFUSED_STREAM);
    } else if (typeof head === 'string') {
      this.streamError(id, ErrorCode.PROTOCOL_ERROR);
    } else {
      const stream = new Stream(host, id, head, this.#initialWindow, this.#time);
      streams.add(stream);
      if (endsStream && !stream.fits(0, true)) {
        this.streamError(id, ErrorCode.PROTOCOL_ERROR);
        return;
      }
      stream.remoteEnded = endsStream;
      const receiver = serve(stream);
      stream.attach(receiver);
      if (receiver.onRead !== undefined) this.#fresh.push(stream);
      if (endsStream) this.#complete.push(stream);
    }
  }

  #onTrailers(id: number, endsStream: boolean, block: Buffer): void {
    const { streams, abuseBudget } = this.#parts;
    const trailers = this.#blocks.readTrailers(block);
    const stream = streams.get(id);
    if (stream === undefined || stream.remoteEnded) {
      if (stream !== undefined || !this.#isForgiven(id)) {
        throw new ConnectionError(ErrorCode.STREAM_CLOSED, 'HEADERS on a closed stream');
      }
      if (endsStream) this.#parts.lateResets.forget(id);
      abuseBudget.spendControlFrame();
    } else if (trailers === 'excessive') {
      this.streamError(id, ErrorCode.ENHANCE_YOUR_CALM);
    } else if (!endsStream || trailers === 'malformed' || !stream.fits(0, true)) {
      this.streamError(id, ErrorCode.PROTOCOL_ERROR);
    } else {
      stream.receiveTrailers(trailers);
      this.#complete.push(stream);
    }
  }

  /** Whether the peer may not know yet that this stream was reset or rejected. */
  #isForgiven(id: number): boolean {
    const { streams, isClosing } = this.#parts;
    return streams.wasReset(id) || (isClosing() && id > streams.lastServedId);
  }

  /** A reset that the peer causes us to send costs as much as one that it sends. */
  #spendReset(stream: Stream | undefined): void {
    const isBearable =
      stream === undefined
        ? this.#parts.abuseBudget.spendReset(false, 0)
        : this.#parts.abuseBudget.spendReset(stream.hasBegun, this.ageOf(stream));
    if (!isBearable) throw calmDown('too many streams are reset');
  }

  #reject(id: number, code: number): void {
    this.#parts.streams.rememberReset(id);
    this.#parts.writeQueue.push(resetFrame(id, code));
  }
}

/** The error code for an invalid part of a body. */
function faultOfData(
  stream: Stream | undefined,
  windowBytes: number,
  bytes: number,
  isEnd: boolean,
): number | undefined {
  if (stream === undefined || stream.remoteEnded) return ErrorCode.STREAM_CLOSED;
  if (!stream.window.take(windowBytes)) return ErrorCode.FLOW_CONTROL_ERROR;
  return stream.fits(bytes, isEnd) ? undefined : ErrorCode.PROTOCOL_ERROR;
}
