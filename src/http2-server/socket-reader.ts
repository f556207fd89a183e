// Schedules the parsing of the bytes of a socket. While bytes wait to be parsed, no more are read.

import type { Socket } from 'node:net';
import type { ReadSchedule } from './read-schedule.ts';

/** Why reading is paused. */
type Pause = 'blocked' | 'deferred' | 'throttled';

/** How many frames are parsed between two readings of the clock. */
const FRAMES_PER_LOOK = 4;

export class SocketReader {
  readonly #socket: Socket;
  readonly #turns: ReadSchedule;
  readonly #parse: (bytes: Buffer) => void;
  readonly #pauses = new Set<Pause>();
  /** Bytes that were read and wait to be parsed. */
  #unparsed: Buffer | undefined;
  #framesSinceLook = 0;
  #isClosed = false;

  /** `parse` gets the bytes that were read; it returns unparsed ones to `defer`. */
  constructor(socket: Socket, turns: ReadSchedule, parse: (bytes: Buffer) => void) {
    this.#socket = socket;
    this.#turns = turns;
    this.#parse = parse;
    socket.on('data', (chunk: Buffer) => this.#onChunk(chunk));
  }

  /** Whether reading is paused, so that the peer may have sent more. */
  get isPaused(): boolean {
    return this.#pauses.size > 0;
  }

  /** Whether another frame may be parsed in this turn. */
  mayContinue(): boolean {
    if (this.#pauses.has('throttled')) return false;
    if (++this.#framesSinceLook < FRAMES_PER_LOOK) return true;
    this.#framesSinceLook = 0;
    return this.#turns.mayContinue;
  }

  /** Keeps bytes to be parsed later; until then nothing is read. */
  defer(bytes: Buffer): void {
    const isNew = this.#unparsed === undefined;
    this.#unparsed = bytes;
    if (!isNew) return;
    this.pause('deferred');
    if (!this.#pauses.has('throttled')) this.#goOnLater();
  }

  /** Pauses reading for so many milliseconds. */
  throttle(milliseconds: number): void {
    if (this.#isClosed || this.#pauses.has('throttled')) return;
    this.pause('throttled');
    setTimeout(() => {
      this.resume('throttled');
      if (this.#unparsed !== undefined && !this.#isClosed) this.#goOnLater();
    }, milliseconds).unref();
  }

  pause(why: Pause): void {
    if (this.#pauses.size === 0) this.#socket.pause();
    this.#pauses.add(why);
  }

  resume(why: Pause): void {
    if (this.#pauses.delete(why) && this.#pauses.size === 0 && !this.#isClosed) this.#socket.resume();
  }

  /** Stops parsing. */
  close(): void {
    this.#isClosed = true;
  }

  #onChunk(chunk: Buffer): void {
    if (this.#isClosed) return;
    const bytes = this.#unparsed === undefined ? chunk : Buffer.concat([this.#unparsed, chunk]);
    if (this.#unparsed !== undefined || this.#pauses.has('throttled') || !this.#turns.begin()) {
      this.defer(bytes);
      return;
    }
    this.#parse(bytes);
    this.#turns.end();
  }

  #goOnLater(): void {
    this.#turns.defer(() => {
      const bytes = this.#unparsed;
      if (bytes === undefined || this.#isClosed || this.#pauses.has('throttled')) return;
      this.#unparsed = undefined;
      this.#pauses.delete('deferred');
      this.#parse(bytes);
      if (this.#unparsed === undefined && this.#pauses.size === 0 && !this.#isClosed) this.#socket.resume();
    });
  }
}
