// The output of event lines. A write for each line would cost more than the line itself, so lines are gathered into chunks.

import { fstatSync } from 'node:fs';
import type { DestinationStream } from 'pino';
import { EventFile } from './event-file.ts';

/** Writes lines in order. */
export interface Output {
  /** `lines` do not change afterwards. */
  write(lines: Buffer): unknown;
  /** Returns when all lines have been written. */
  flushSync(): void;
}

/** A chunk is written when the next line does not fit into it, or after this time. A write costs some 50 µs, since it wakes a thread. */
const CHUNK_BYTES = 65_536;
const FLUSH_MS = 100;
/** Linux writes a chunk of this size to a pipe atomically, so lines of several processes are not mixed. Files take any size so. */
const PIPE_BYTES = 4_096;

/** A unit of UTF-16 has at most three bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

const STANDARD_ERROR = 2;

const outputs = new Map<boolean, GatheredLines>();

/**
 * Returns the output to standard error; standard output is for results. `isShared`: other processes write there too. A process has one
 * output however often its service starts, so that lines stay in order and one listener flushes them at the end.
 */
export function standardError(isShared: boolean): GatheredLines {
  const known = outputs.get(isShared);
  if (known !== undefined) return known;
  const chunkBytes = isShared && !isFile(STANDARD_ERROR) ? PIPE_BYTES : CHUNK_BYTES;
  const lines = new GatheredLines(new EventFile(STANDARD_ERROR), chunkBytes, FLUSH_MS);
  process.once('exit', () => lines.flushSync());
  outputs.set(isShared, lines);
  return lines;
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false; // It is closed.
  }
}

/** Gathers lines into chunks. */
export class GatheredLines implements DestinationStream {
  readonly #output: Output;
  readonly #chunkBytes: number;
  readonly #flushMs: number;
  /** Lines are encoded as they come: one text of many lines would be flattened, measured and copied again. */
  #chunk = Buffer.alloc(0);
  #length = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: Output, chunkBytes: number, flushMs: number) {
    this.#output = output;
    this.#chunkBytes = chunkBytes;
    this.#flushMs = flushMs;
  }

  write(line: string): void {
    if (this.#length + MAX_BYTES_PER_UNIT * line.length > this.#chunk.length) this.#makeRoom(line);
    this.#length += this.#chunk.write(line, this.#length);
    this.#timer ??= setTimeout(() => this.#handOn(), this.#flushMs).unref();
  }

  flushSync(): void {
    this.#handOn();
    this.#output.flushSync();
  }

  /** Makes room for a line that does not fit into the chunk for certain. */
  #makeRoom(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#length + bytes <= this.#chunk.length) return;
    this.#handOn();
    if (bytes > this.#chunk.length) this.#chunk = Buffer.allocUnsafeSlow(Math.max(bytes, this.#chunkBytes));
  }

  #handOn(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#length === 0) return;
    const lines = this.#chunk.subarray(0, this.#length);
    this.#length = 0;
    // A chunk that is mostly empty is kept, so that lines that wait to be written take no more memory than they have bytes.
    if (lines.length < this.#chunk.length / 2) {
      const copy = Buffer.allocUnsafeSlow(lines.length);
      lines.copy(copy);
      this.#output.write(copy);
    } else {
      this.#chunk = Buffer.alloc(0);
      this.#output.write(lines);
    }
  }
}
