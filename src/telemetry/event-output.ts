// Where the lines of events go. A write for each line would cost more than the line, so lines are gathered into pieces.

import { EventFile } from './event-file.ts';

const LINE_ENDS = /(?<=\n)/;

/** What takes pieces of text and writes them in order. */
export interface Output {
  write(text: string): unknown;
  /** Returns when all that was taken has been written. */
  flushSync(): void;
}

/** A piece leaves when the next line does not fit into it, or when so much time has passed. */
const PIECE_BYTES = 8_192;
const FLUSH_MS = 100;
/** What Linux writes to a pipe in one piece, so that the lines of several processes do not tear each other. */
const WHOLE_BYTES = 4_096;

/** Standard error; standard output is for what a person asked to see. `isShared`: other processes write there too. */
export function standardError(isShared: boolean): GatheredLines {
  const pieceBytes = isShared ? WHOLE_BYTES : PIECE_BYTES;
  const lines = new GatheredLines(new EventFile(2), pieceBytes, FLUSH_MS);
  process.once('exit', () => lines.flushSync());
  return lines;
}

/** Gathers lines. */
export class GatheredLines implements Output {
  readonly #output: Output;
  readonly #pieceBytes: number;
  readonly #flushMs: number;
  #text = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(output: Output, pieceBytes: number, flushMs: number) {
    this.#output = output;
    this.#pieceBytes = pieceBytes;
    this.#flushMs = flushMs;
  }

  write(line: string): void {
    if (this.#text.length + line.length > this.#pieceBytes) this.#handOn();
    this.#text += line;
    this.#timer ??= setTimeout(() => this.#handOn(), this.#flushMs).unref();
  }

  flushSync(): void {
    this.#handOn();
    this.#output.flushSync();
  }

  #handOn(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    // Characters were counted. Where some have several bytes, the lines leave one by one.
    if (Buffer.byteLength(text) <= this.#pieceBytes) this.#output.write(text);
    else for (const line of text.split(LINE_ENDS)) this.#output.write(line);
  }
}
