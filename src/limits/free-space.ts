// Measures the free space of the file system of the data directory and decides whether it is enough for writes of callers. The reserve is
// for key events, for checkpoints of the databases, and for the operator.

import { statfs } from 'node:fs/promises';
import { EctError, reject } from '../errors.ts';

/** A file system, in bytes. `free` is what this user may still write. */
export interface Volume {
  readonly free: number;
  readonly total: number;
}

/** The result of a measurement. */
export interface MeasuredSpace {
  readonly free: number;
  readonly floor: number;
  readonly hasRoom: boolean;
}

export interface FreeSpaceOptions {
  /** Bytes that stay free; undefined: 512 MiB, but at most a tenth of the file system. */
  readonly floorBytes: number | undefined;
  readonly measure: () => Promise<Volume>;
  /** Called after each measurement, with whether it changed the result of `hasRoom`. Must not throw. */
  readonly onMeasured?: (space: MeasuredSpace, changed: boolean) => void;
  readonly intervalMs?: number;
}

const MIB = 1024 * 1024;
const DEFAULT_FLOOR_BYTES = 512 * MIB;
const DEFAULT_FLOOR_SHARE = 1 / 10;
/**
 * The part of the reserve that proofs of callers may take, at most: without a stored use such a caller could not even read. The other part
 * stays for what the reserve is for.
 */
const PROOFS_SHARE = 1 / 2;
/** The smallest possible reserve: a commit needs some space, or it fails half-way. */
const LEAST_FLOOR_BYTES = MIB;
/** Free space above the reserve at which writes are accepted again, so that they do not stop and start with every measurement. */
const RECOVERY_SHARE = 1 / 16;
const INTERVAL_MS = 1_000;
/** Each write goes to a write-ahead file, in whole pages, and from there to the main file. */
const TIMES_WRITTEN = 3;

/** The file system that `path` is on. */
export async function measureVolume(path: string): Promise<Volume> {
  const { bavail, bsize, blocks } = await statfs(path);
  return { free: bavail * bsize, total: blocks * bsize };
}

/** Measured every second; in between, the bytes written here are subtracted. No call waits for a measurement. */
export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  #free = Number.POSITIVE_INFINITY;
  #floor = 0;
  #hasRoom = true;
  #total = 0;
  /** The result of `hasRoom` after the previous measurement. */
  #hadRoom = true;
  #isMeasuring = false;
  readonly #timer: NodeJS.Timeout;

  private constructor(options: FreeSpaceOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.measure(), options.intervalMs ?? INTERVAL_MS);
    this.#timer.unref();
  }

  /** Measures once before it returns. */
  static async open(options: FreeSpaceOptions): Promise<FreeSpace> {
    const space = new FreeSpace(options);
    await space.measure();
    return space;
  }

  /** Whether there is space for writes of callers. */
  hasRoom(): boolean {
    return this.#hasRoom;
  }

  /** Rejects with STORAGE_FULL if there is none. */
  demand(): void {
    if (this.#hasRoom) return;
    throw full();
  }

  /**
   * The same for the use of a proof, which may take half of the reserve of a disk of this size. A larger one, which an operator has set,
   * changes nothing for callers who only read.
   */
  demandForProof(): void {
    const reserve = Math.min(this.#floor, usualFloor(this.#total));
    if (this.#hasRoom || this.#free > (1 - PROOFS_SHARE) * reserve) return;
    throw full();
  }

  /** Adds bytes that were written since the last measurement. */
  wrote(bytes: number): void {
    this.#free -= TIMES_WRITTEN * bytes;
    if (this.#free <= this.#floor) this.#hasRoom = false;
  }

  /** Measures now, unless a measurement is running. If it fails, the previous result stays valid. */
  async measure(): Promise<void> {
    if (this.#isMeasuring) return;
    this.#isMeasuring = true;
    try {
      this.#note(await this.#options.measure());
    } catch {
      // A directory that cannot be measured cannot be written either, and the stores report that.
    } finally {
      this.#isMeasuring = false;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #note({ free, total }: Volume): void {
    const { floorBytes, onMeasured } = this.#options;
    this.#free = free;
    this.#total = total;
    const wanted = floorBytes ?? usualFloor(total);
    this.#floor = Math.max(wanted, LEAST_FLOOR_BYTES);
    const needed = this.#hasRoom ? this.#floor : this.#floor * (1 + RECOVERY_SHARE);
    this.#hasRoom = free > needed;
    const changed = this.#hasRoom !== this.#hadRoom;
    this.#hadRoom = this.#hasRoom;
    onMeasured?.({ free, floor: this.#floor, hasRoom: this.#hasRoom }, changed);
  }
}

/** The reserve where the operator sets none. */
function usualFloor(total: number): number {
  return Math.min(DEFAULT_FLOOR_BYTES, total * DEFAULT_FLOOR_SHARE);
}

function full(): EctError {
  return new EctError(reject('STORAGE_FULL', 'The disk has less free space than the reserve.'));
}
