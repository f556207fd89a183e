// The output of event lines. A write for each line would cost more than the line itself, so lines are gathered into chunks.

import { EventFile } from './event-file.ts';

const LINE_ENDS = /(?<=\n)/;

/** Writes text in order. */
export interface Output {
  write(text: string): unknown;
  /** Returns when all text has been written. */
  flushSync(): void;
}

/** A chunk is written when the next line does not fit into it, or after this time. */
const PIECE_BYTES = 8_192;
const FLUSH_MS = 100;
/** Linux writes a chunk of this size to a pipe atomically, so lines of several processes are not mixed. */
const WHOLE_BYTES = 4_096;

const outputs = new Map<boolean, GatheredLines>();

/**
 * Returns the output to standard error; standard output is for results. `isShared`: other processes write there too. A process has one
 * output however often its service starts, so that lines stay in order and one listener flushes them at the end.
 */
export function standardError(isShared: boolean): GatheredLines {
  const known = outputs.get(isShared);
  if (known !== undefined) return known;
  const pieceBytes = isShared ? WHOLE_BYTES : PIECE_BYTES;
  const lines = new GatheredLines(new EventFile(2), pieceBytes, FLUSH_MS);
  process.once('exit', () => lines.flushSync());
  outputs.set(isShared, lines);
  return lines;
}

/** Gathers lines into chunks. */
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
    // The length was counted in characters. If some have several bytes, the lines are written one by one.
    if (Buffer.byteLength(text) <= this.#pieceBytes) this.#output.write(text);
    else for (const line of text.split(LINE_ENDS)) this.#output.write(line);
  }
}
