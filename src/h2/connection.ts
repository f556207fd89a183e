// One HTTP/2 connection, made for many small calls: its socket, what it shares among its streams, and how it ends. The peer
// is attacker-controlled: whatever it can make us do or keep has a limit in here.

import type { Socket } from 'node:net';
import { ConnectionError, calmDown, ErrorCode } from './connection-error.ts';
import { FrameReader } from './frame-reader.ts';
import { DEFAULT_WINDOW, goAway, resetFrame, Setting, settingsFrame, windowUpdate } from './frames.ts';
import { Inbound } from './inbound.ts';
import type { Limits } from './limits.ts';
import { Outbox } from './outbox.ts';
import { Patience } from './patience.ts';
import { ReceiveWindow } from './receive-window.ts';
import { Requests } from './requests.ts';
import type { Receiver, Stream, StreamHost } from './stream.ts';
import { StreamTable } from './stream-table.ts';

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
}

/** How long the peer may take to close when everything was said, in milliseconds. */
const LINGER_MS = 1_000;

export class Connection implements StreamHost {
  readonly socket: Socket;
  readonly outbox: Outbox;
  readonly #options: ConnectionOptions;
  readonly #reader: FrameReader;
  readonly #requests: Requests;
  readonly #patience: Patience;
  readonly #streams = new StreamTable();
  readonly #window: ReceiveWindow;
  #heldBytes = 0;
  #isClosing = false;
  #isEnded = false;

  /** Takes over the socket, from the first byte of the preface. */
  constructor(socket: Socket, options: ConnectionOptions) {
    const { limits, serve, now = () => performance.now() } = options;
    this.socket = socket;
    this.#options = options;
    this.#patience = new Patience(limits, now);
    this.outbox = new Outbox(socket, {
      maxWaitingBytes: limits.maxWaitingBytes,
      stallMs: limits.stallMs,
      now,
      onBlocked: (isBlocked) => {
        // Who does not read is not read from: what it asks for would only wait.
        if (isBlocked) socket.pause();
        else socket.resume();
      },
      onSent: (bytes) => this.#patience.sent(bytes),
      onStalled: ({ id }) => this.#streams.get(id)?.reset(ErrorCode.ENHANCE_YOUR_CALM),
      onStuck: () => this.#lost(calmDown('the peer does not read')),
    });
    this.#window = new ReceiveWindow(this.outbox, 0, limits.windowBytes);
    const shared = { outbox: this.outbox, streams: this.#streams, patience: this.#patience };
    const isClosing = () => this.#isClosing;
    this.#requests = new Requests({ ...shared, limits, now, serve, host: this, window: this.#window, isClosing });
    const inbound = new Inbound({ ...shared, requests: this.#requests, onGoAway: () => this.close() });
    this.#reader = new FrameReader(limits.frameMs, now, (type, flags, id, bytes, start, end) => {
      if (!this.#isEnded) inbound.onFrame(type, flags, id, bytes, start, end);
    });
    this.outbox.push(
      settingsFrame([
        [Setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
        [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderBytes],
      ]),
    );
    this.outbox.push(windowUpdate(0, limits.windowBytes - DEFAULT_WINDOW));
    socket.on('data', (chunk: Buffer) => this.#onChunk(chunk));
    socket.on('end', () => this.#lost());
    socket.on('error', (error) => this.#lost(error));
    socket.on('close', () => this.#lost());
    socket.setTimeout(limits.idleMs, () => this.#onIdle());
  }

  /** Takes no more streams, and ends the connection when those that are open have ended. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.outbox.push(goAway(this.#streams.lastServedId, ErrorCode.NO_ERROR));
    this.#endWhenDone();
  }

  hold(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#options.limits.maxHeldBytes) return false;
    this.#heldBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  giveBack(bytes: number): void {
    this.#window.giveBack(bytes);
  }

  sendReset(stream: Stream, code: number): void {
    this.#streams.rememberReset(stream.id);
    this.outbox.push(resetFrame(stream.id, code));
    // What makes us reset a stream costs the peer as much as a reset of its own: it ends work that was begun just the same.
    if (code === ErrorCode.NO_ERROR) return;
    if (!this.#patience.bearsReset(stream.hasBegun, this.#requests.ageOf(stream))) {
      this.#fail(calmDown('too many streams are reset'));
    }
  }

  closed(stream: Stream, wasAnswered: boolean): void {
    this.#streams.remove(stream);
    if (wasAnswered) this.#patience.answered();
    if (this.#isClosing) this.#endWhenDone();
  }

  #onChunk(chunk: Buffer): void {
    if (this.#isEnded) return;
    try {
      this.#requests.begin();
      this.#reader.read(chunk);
      this.#requests.end();
    } catch (thrown) {
      if (!(thrown instanceof ConnectionError)) this.#options.onBug(thrown);
      this.#fail(thrown instanceof ConnectionError ? thrown : internalError());
    }
  }

  #onIdle(): void {
    if (this.#streams.size === 0) this.close();
  }

  #fail(error: ConnectionError): void {
    if (this.#isEnded) return;
    this.#isClosing = true;
    this.outbox.push(goAway(this.#streams.lastServedId, error.code));
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
    this.outbox.close();
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
    this.#isClosing = true;
    this.outbox.close();
    this.#abortStreams();
    this.socket.destroy();
  }

  #abortStreams(): void {
    for (const stream of this.#streams.all()) stream.abort();
  }
}

function internalError(): ConnectionError {
  return new ConnectionError(ErrorCode.INTERNAL_ERROR, 'a frame could not be taken');
}
