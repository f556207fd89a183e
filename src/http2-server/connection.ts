// One HTTP/2 connection, optimised for many small calls: its socket, the state that its streams share, and its end. The peer is
// attacker-controlled: everything that it can make us compute or keep is limited here.

import type { Socket } from 'node:net';
import { AbuseBudget } from './abuse-budget.ts';
import { ConnectionError, calmDown, ErrorCode } from './connection-error.ts';
import { FrameReader, type OnFrame } from './frame-reader.ts';
import { DEFAULT_WINDOW, goAway, resetFrame, Setting, settingsFrame, windowUpdate } from './frames.ts';
import { GracefulClose } from './graceful-close.ts';
import { Inbound } from './inbound.ts';
import { LateResets } from './late-resets.ts';
import type { Limits } from './limits.ts';
import { READ_AT_ONCE, type ReadSchedule } from './read-schedule.ts';
import { ReceiveWindow } from './receive-window.ts';
import type { Receiver } from './receiver.ts';
import { Requests } from './requests.ts';
import { SocketReader } from './socket-reader.ts';
import type { Stream, StreamHost } from './stream.ts';
import { NO_PROCESS_LIMIT, type StreamMemory } from './stream-memory.ts';
import { StreamTable } from './stream-table.ts';
import { WriteQueue } from './write-queue.ts';

export interface ConnectionOptions {
  readonly limits: Limits;
  /** Serves a request. Called for each request; must not throw. */
  readonly serve: (stream: Stream) => Receiver;
  /** Called if the connection ends by an error. */
  readonly onFailure: (error: Error) => void;
  /** Called for a bug while frames were processed. It ends this connection, and no other. */
  readonly onBug: (thrown: unknown) => void;
  /** The clock for all time limits, in milliseconds. */
  readonly now?: () => number;
  /** Schedules parsing. Without it, everything is parsed when it is read. */
  readonly turns?: ReadSchedule;
  /** Memory of the process for a stream; `evict` ends the stream. Without it only the limits of the connection apply. */
  readonly openMemory?: (evict: () => void) => StreamMemory;
  /** The longest time for which nothing is read because of one of the streams, in milliseconds. Without it there is no limit. */
  readonly mostPauseMs?: () => number;
}

/** The number of streams that are notified immediately of a lost connection; the others are notified in later turns. */
const ABORTED_AT_ONCE = 4;

/** How long the peer may take to close the connection after our last byte, in milliseconds. */
const LINGER_MS = 1_000;

export class Connection implements StreamHost {
  readonly socket: Socket;
  readonly writeQueue: WriteQueue;
  readonly #options: ConnectionOptions;
  readonly #reader: FrameReader;
  readonly #requests: Requests;
  readonly #abuseBudget: AbuseBudget;
  readonly #streams = new StreamTable();
  readonly #window: ReceiveWindow;
  readonly #turns: ReadSchedule;
  readonly #input: SocketReader;
  #heldBytes = 0;
  #isClosing = false;
  readonly #gracefulClose: GracefulClose;
  readonly #lateResets: LateResets;
  readonly #inbound: Inbound;
  /** Whether the peer must complete something soon: the preface, a frame or a header block. */
  #isPartial = true;
  #isEnded = false;

  /** Takes over the socket, before the first byte of the connection preface is read. */
  constructor(socket: Socket, options: ConnectionOptions) {
    const { limits, serve, now = () => performance.now() } = options;
    this.socket = socket;
    this.#options = options;
    this.#turns = options.turns ?? READ_AT_ONCE;
    this.#input = new SocketReader(socket, this.#turns, {
      parse: (bytes) => this.#parse(bytes),
      onFragments: (count) => {
        if (!this.#abuseBudget.spendFragments(count)) this.#fail(calmDown('frames arrive in too many pieces'));
      },
    });
    this.#abuseBudget = new AbuseBudget(limits, now);
    this.writeQueue = new WriteQueue(socket, {
      maxWaitingBytes: limits.maxWaitingBytes,
      stallMs: limits.stallMs,
      answerMs: limits.answerMs,
      now,
      onBlocked: (isBlocked) => {
        // A peer that does not read is not read from: responses to its requests could not be sent.
        if (isBlocked) this.#input.pause('blocked');
        else this.#input.resume('blocked');
      },
      onSent: (bytes) => this.#abuseBudget.sent(bytes),
      onStalled: ({ id }) => this.#streams.get(id)?.reset(ErrorCode.ENHANCE_YOUR_CALM),
      onStuck: () => this.#lost(calmDown('the peer does not read')),
    });
    this.#gracefulClose = new GracefulClose(this.writeQueue, limits.lastCallMs, () => this.#rejectStreams());
    this.#lateResets = new LateResets(this.writeQueue, limits.lateResetMs, now);
    this.#window = new ReceiveWindow(this.writeQueue, 0, limits.windowBytes);
    const shared = { writeQueue: this.writeQueue, streams: this.#streams, abuseBudget: this.#abuseBudget };
    const lateResets = this.#lateResets;
    const isClosing = () => this.#isClosing;
    const openMemory = () => this.openMemory(() => this.#fail(calmDown('there is no room for a header block')));
    const window = this.#window;
    this.#requests = new Requests({
      ...shared,
      lateResets,
      limits,
      now,
      serve,
      host: this,
      window,
      openMemory,
      isClosing,
    });
    this.#inbound = new Inbound({
      ...shared,
      requests: this.#requests,
      onGoAway: () => this.#rejectStreams(),
      onPong: (payload) => this.#gracefulClose.onPong(payload),
    });
    const onFrame: OnFrame = (type, flags, id, bytes, start, end) => {
      this.#input.frameCompleted();
      if (!this.#isEnded) this.#inbound.onFrame(type, flags, id, bytes, start, end);
    };
    this.#reader = new FrameReader(limits.frameMs, now, onFrame, () => this.#input.mayContinue());
    this.writeQueue.push(
      settingsFrame([
        [Setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
        [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderBytes],
      ]),
    );
    this.writeQueue.push(windowUpdate(0, limits.windowBytes - DEFAULT_WINDOW));
    socket.on('end', () => this.#lost());
    socket.on('error', (error) => this.#lost(error));
    socket.on('close', () => this.#lost());
    socket.setTimeout(limits.frameMs, () => this.#onIdle());
  }

  /**
   * Starts a graceful shutdown: sends GOAWAY, serves the requests that the peer sent before it received that, and ends the connection
   * after its streams.
   */
  close(): void {
    if (!this.#isClosing) this.#gracefulClose.begin();
  }

  reserve(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#options.limits.maxHeldBytes) return false;
    this.#heldBytes += bytes;
    return true;
  }

  free(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  openMemory(evict: () => void): StreamMemory {
    return this.#options.openMemory?.(evict) ?? NO_PROCESS_LIMIT;
  }

  throttle(milliseconds: number): void {
    // Few streams are left of a connection that accepts no more, and its end must not wait.
    if (this.#isClosing) return;
    const mostMs = this.#options.mostPauseMs?.() ?? Number.POSITIVE_INFINITY;
    this.#input.throttle(Math.min(milliseconds, mostMs));
  }

  disconnect(): void {
    // Deferred, because a frame is being processed, and responses so far should be sent.
    setImmediate(() => this.#fail(calmDown('too many requests are rejected')));
  }

  creditWindow(bytes: number): void {
    this.#window.creditWindow(bytes);
  }

  sendReset(stream: Stream, code: number): void {
    this.#streams.rememberReset(stream.id);
    this.writeQueue.push(resetFrame(stream.id, code));
    // A reset that the peer causes us to send costs as much as one that it sends, because it ends started work as well.
    if (!this.#abuseBudget.spendReset(stream.hasBegun, this.#requests.ageOf(stream))) {
      this.#fail(calmDown('too many streams are reset'));
    }
  }

  answeredEarly({ id }: Stream): void {
    this.#streams.rememberReset(id);
    this.#lateResets.add(id);
  }

  closed(stream: Stream, wasAnswered: boolean): void {
    this.#streams.remove(stream);
    this.#requests.closed(stream);
    if (wasAnswered) this.#abuseBudget.answered();
    if (this.#isClosing) this.#endWhenDone();
  }

  #parse(bytes: Buffer): void {
    try {
      this.#requests.begin();
      const rest = this.#reader.read(bytes);
      // The unparsed rest may contain the reset of a complete request, so no request starts before it was parsed.
      const isDone = rest === undefined && this.#requests.end(() => this.#turns.mayContinue);
      if (!isDone && !this.#isEnded) this.#input.defer(rest ?? NOTHING);
      this.#watchPartial();
    } catch (thrown) {
      if (!(thrown instanceof ConnectionError)) this.#options.onBug(thrown);
      this.#fail(thrown instanceof ConnectionError ? thrown : internalError());
    }
  }

  /** Sets the short timeout while something is incomplete; between frames a peer may be silent for long. */
  #watchPartial(): void {
    const isPartial = this.#reader.isPartial || this.#requests.hasOpenBlock || !this.#inbound.hasSettings;
    if (isPartial === this.#isPartial) return;
    this.#isPartial = isPartial;
    const { frameMs, idleMs } = this.#options.limits;
    this.socket.setTimeout(isPartial ? frameMs : idleMs);
  }

  #onIdle(): void {
    // While reading is paused, the rest may have arrived already.
    if (this.#isPartial && !this.#input.isPaused) this.#fail(calmDown('a frame takes too long to arrive'));
    else if (this.#isPartial) this.socket.setTimeout(this.#options.limits.frameMs);
    else if (this.#streams.size === 0) this.close();
  }

  #rejectStreams(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#gracefulClose.cancel();
    this.#input.resume('throttled');
    this.writeQueue.push(goAway(this.#streams.lastServedId, ErrorCode.NO_ERROR));
    this.writeQueue.resumeBodies();
    this.#endWhenDone();
  }

  #fail(error: ConnectionError): void {
    if (this.#isEnded) return;
    this.#isClosing = true;
    this.writeQueue.push(goAway(this.#streams.lastServedId, error.code));
    this.#options.onFailure(error);
    this.#end(LINGER_MS);
  }

  #endWhenDone(): void {
    if (this.#streams.size === 0) this.#end(this.#options.limits.stallMs);
  }

  /** Sends nothing more. The peer has `readMs` to read what was sent, and LINGER_MS to close. */
  #end(readMs: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#input.close();
    this.#gracefulClose.cancel();
    this.#lateResets.flush();
    this.writeQueue.close();
    this.#requests.close();
    this.#abortStreams();
    this.socket.resume();
    const destroy = () => this.socket.destroy();
    let timer = setTimeout(destroy, readMs);
    this.socket.once('close', () => clearTimeout(timer));
    this.socket.end(() => {
      clearTimeout(timer);
      if (!this.socket.destroyed) timer = setTimeout(destroy, LINGER_MS);
    });
  }

  #lost(error?: Error): void {
    if (error !== undefined && !this.#isEnded) this.#options.onFailure(error);
    this.#isEnded = true;
    this.#input.close();
    this.#isClosing = true;
    this.#gracefulClose.cancel();
    this.writeQueue.close();
    this.#lateResets.flush();
    this.#requests.close();
    this.#abortStreams();
    this.socket.destroy();
  }

  /** A peer can open many streams and disconnect, so the streams are aborted in later turns, scheduled with the work of others. */
  #abortStreams(): void {
    const open = this.#streams.all();
    const abortSome = (from: number): void => {
      for (const stream of open.slice(from, from + ABORTED_AT_ONCE)) stream.abort();
      const next = from + ABORTED_AT_ONCE;
      if (next < open.length) this.#turns.defer(() => abortSome(next));
    };
    abortSome(0);
  }
}

function internalError(): ConnectionError {
  return new ConnectionError(ErrorCode.INTERNAL_ERROR, 'a frame could not be taken');
}

const NOTHING = Buffer.alloc(0);
