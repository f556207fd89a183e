// One HTTP/2 connection, made for many small calls: its socket, what it shares among its streams, and how it ends. The peer
// is attacker-controlled: whatever it can make us do or keep has a limit in here.

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
  /** Serves a request. It is called for each, and must not throw. */
  readonly serve: (stream: Stream) => Receiver;
  /** The connection ends for a reason other than that both sides are done. */
  readonly onFailure: (error: Error) => void;
  /** Our own mistake, met while frames were taken. It ends this connection, and no other. */
  readonly onBug: (thrown: unknown) => void;
  /** The clock that times are limited by, in milliseconds. */
  readonly now?: () => number;
  /** Without them everything that was read is parsed at once. */
  readonly turns?: ReadSchedule;
  /** What the whole process can spare for a stream; `evict` ends the stream. Without it only the connection limits. */
  readonly openMemory?: (evict: () => void) => StreamMemory;
}

/** Streams that are notified immediately of a lost connection; further streams are notified in later turns. */
const ABORTED_AT_ONCE = 4;

/** How long the peer may take to close when everything was said, in milliseconds. */
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
  /** Something has begun that the peer must end soon. */
  #isPartial = true;
  #isEnded = false;

  /** Takes over the socket, from the first byte of the preface. */
  constructor(socket: Socket, options: ConnectionOptions) {
    const { limits, serve, now = () => performance.now() } = options;
    this.socket = socket;
    this.#options = options;
    this.#turns = options.turns ?? READ_AT_ONCE;
    this.#input = new SocketReader(socket, this.#turns, (bytes) => this.#parse(bytes));
    this.#abuseBudget = new AbuseBudget(limits, now);
    this.writeQueue = new WriteQueue(socket, {
      maxWaitingBytes: limits.maxWaitingBytes,
      stallMs: limits.stallMs,
      answerMs: limits.answerMs,
      now,
      onBlocked: (isBlocked) => {
        // Who does not read is not read from: what it asks for would only wait.
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
      if (!this.#isEnded) this.#inbound.onFrame(type, flags, id, bytes, start, end);
    };
    this.#reader = new FrameReader(limits.frameMs, now, onFrame, () => this.#input.mayGoOn());
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

  /** Tells the peer to go, takes what it sends before it knows, and ends the connection when its streams have ended. */
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
    this.#input.throttle(milliseconds);
  }

  disconnect(): void {
    // Not at once: a frame is being taken, and what was answered so far should leave.
    setImmediate(() => this.#fail(calmDown('too many requests are rejected')));
  }

  creditWindow(bytes: number): void {
    this.#window.creditWindow(bytes);
  }

  sendReset(stream: Stream, code: number): void {
    this.#streams.rememberReset(stream.id);
    this.writeQueue.push(resetFrame(stream.id, code));
    // What makes us reset a stream costs the peer as much as a reset of its own: it ends work that was begun just the same.
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
    if (wasAnswered) this.#abuseBudget.answered();
    if (this.#isClosing) this.#endWhenDone();
  }

  #parse(bytes: Buffer): void {
    try {
      this.#requests.begin();
      const rest = this.#reader.read(bytes);
      // What is left may be the reset of a request that is complete: nothing begins before it was looked at.
      const isDone = rest === undefined && this.#requests.end(() => this.#turns.goesOn);
      if (!isDone && !this.#isEnded) this.#input.defer(rest ?? NOTHING);
      this.#watchPartial();
    } catch (thrown) {
      if (!(thrown instanceof ConnectionError)) this.#options.onBug(thrown);
      this.#fail(thrown instanceof ConnectionError ? thrown : internalError());
    }
  }

  /** What has begun must be complete soon; between frames a peer may be silent for long. */
  #watchPartial(): void {
    const isPartial = this.#reader.isPartial || this.#requests.hasOpenBlock || !this.#inbound.hasSettings;
    if (isPartial === this.#isPartial) return;
    this.#isPartial = isPartial;
    const { frameMs, idleMs } = this.#options.limits;
    this.socket.setTimeout(isPartial ? frameMs : idleMs);
  }

  #onIdle(): void {
    // While we do not read, it is unknown whether the peer has sent the rest.
    if (this.#isPartial && !this.#input.isPaused) this.#fail(calmDown('a frame takes too long to arrive'));
    else if (this.#isPartial) this.socket.setTimeout(this.#options.limits.frameMs);
    else if (this.#streams.size === 0) this.close();
  }

  #rejectStreams(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#gracefulClose.cancel();
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

  /** Says nothing more. The peer has `readMs` to read what was said, and then a moment to close. */
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

  /** A peer can open many streams and leave: what that costs is done in turn with the work of others. */
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
