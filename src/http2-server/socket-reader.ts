// Schedules the parsing of the bytes of a socket. What arrives until then is joined here, in one block: a paused socket would keep each TLS
// record, of one byte perhaps, as an object of 500 bytes. The socket is paused when the block is full.

import type { Socket } from 'node:net';
import { ByteBlock } from './byte-block.ts';
import { limitReadAhead } from './read-ahead.ts';
import type { ReadSchedule } from './read-schedule.ts';
import { ownChunk, releaseChunk } from './released-memory.ts';

/** Why nothing is parsed. */
type Pause = 'blocked' | 'throttled';

export interface SocketReaderOptions {
  /** Gets the bytes that were read, valid only during the call; it returns unparsed ones to `defer`. */
  readonly parse: (bytes: Buffer) => void;
  /** So many small pieces have arrived that complete no frame. */
  readonly onFragments: (count: number) => void;
}

/** How many frames are parsed between two readings of the clock. */
const FRAMES_PER_LOOK = 4;
/** Bytes that wait to be parsed, above which the socket is paused. */
const MAX_WAITING_BYTES = 16_384;
/** Pieces below this size are counted. */
const SMALL_BYTES = 128;
/** Small pieces for each frame that are not charged: some clients write the header of a frame, its padding and its payload one by one. */
const FREE_FRAGMENTS = 4;
/** Small pieces that may wait to be parsed. A full block of WINDOW_UPDATE frames whose header and payload come one by one has 2,520. */
const MAX_WAITING_FRAGMENTS = 2_560;
/** Pieces that are read and discarded after the end, above which the socket is destroyed. */
const MAX_DISCARDED = 1_000;

export class SocketReader {
  readonly #socket: Socket;
  readonly #turns: ReadSchedule;
  readonly #options: SocketReaderOptions;
  readonly #pauses = new Set<Pause>();
  /** Bytes that were read and wait to be parsed. */
  readonly #waiting = new ByteBlock();
  /** Whether something waits: bytes, or requests that were parsed and have not begun. */
  #mustParse = false;
  #isScheduled = false;
  #isSocketPaused = false;
  #framesSinceLook = 0;
  /** Small pieces since the last complete frame that were not charged. */
  #fragments = 0;
  #discarded = 0;
  #isClosed = false;

  constructor(socket: Socket, turns: ReadSchedule, options: SocketReaderOptions) {
    this.#socket = socket;
    this.#turns = turns;
    this.#options = options;
    limitReadAhead(socket);
    socket.on('data', (chunk: Buffer) => this.#onChunk(chunk));
  }

  /** Whether parsing waits, so that the peer may have sent more. */
  get isPaused(): boolean {
    return this.#mustParse || this.#pauses.size > 0;
  }

  /** Whether another frame may be parsed in this turn. */
  mayContinue(): boolean {
    if (this.#pauses.has('throttled')) return false;
    if (++this.#framesSinceLook < FRAMES_PER_LOOK) return true;
    this.#framesSinceLook = 0;
    return this.#turns.mayContinue;
  }

  /** Called for each complete frame. */
  frameCompleted(): void {
    if (this.#fragments > 0) this.#fragments = Math.max(0, this.#fragments - FREE_FRAGMENTS);
  }

  /** Keeps bytes to be parsed later, before those that arrive until then. */
  defer(bytes: Buffer): void {
    this.#waiting.borrow(bytes);
    this.#parseLater();
  }

  /** Pauses parsing for so many milliseconds. */
  throttle(milliseconds: number): void {
    if (this.#isClosed || this.#pauses.has('throttled')) return;
    this.pause('throttled');
    setTimeout(() => this.resume('throttled'), milliseconds).unref();
  }

  pause(why: Pause): void {
    this.#pauses.add(why);
  }

  resume(why: Pause): void {
    if (this.#pauses.delete(why) && this.#mustParse && !this.#isClosed) this.#parseLater();
  }

  /** Stops parsing. What arrives from now on is discarded. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.drop();
  }

  #onChunk(chunk: Buffer): void {
    if (this.#isClosed) {
      if (++this.#discarded > MAX_DISCARDED) this.#socket.destroy();
      return;
    }
    ownChunk(chunk);
    if (chunk.length < SMALL_BYTES) this.#fragments++;
    // After some fragments of a frame, the others are joined until the next turn.
    if (this.isPaused || this.#fragments > FREE_FRAGMENTS || !this.#turns.begin()) {
      this.#wait(chunk);
      return;
    }
    this.#parse(chunk);
    this.#turns.end();
  }

  #parse(bytes: Buffer): void {
    this.#options.parse(bytes);
    if (!this.#waiting.sharesMemory(bytes)) releaseChunk(bytes);
  }

  #wait(chunk: Buffer): void {
    this.#waiting.add(chunk);
    if (this.#fragments > MAX_WAITING_FRAGMENTS) this.#charge();
    if (!this.#isClosed) this.#parseLater();
  }

  #parseLater(): void {
    this.#mustParse = true;
    if (this.#waiting.length >= MAX_WAITING_BYTES && !this.#isSocketPaused) {
      this.#isSocketPaused = true;
      this.#socket.pause();
    }
    if (this.#isScheduled || this.#pauses.size > 0) return;
    this.#isScheduled = true;
    this.#turns.defer(() => {
      this.#isScheduled = false;
      if (this.#isClosed || this.#pauses.size > 0) return;
      this.#mustParse = false;
      this.#parse(this.#waiting.take());
      this.#charge();
      if (this.#isClosed || !this.#isSocketPaused || this.#waiting.length >= MAX_WAITING_BYTES) return;
      this.#isSocketPaused = false;
      this.#socket.resume();
    });
  }

  /** Charges the fragments that belong to no complete frame. */
  #charge(): void {
    const excess = this.#fragments - FREE_FRAGMENTS;
    if (excess <= 0) return;
    this.#fragments = FREE_FRAGMENTS;
    this.#options.onFragments(excess);
  }
}
