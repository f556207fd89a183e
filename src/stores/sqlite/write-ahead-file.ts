// Syncs the write-ahead file of a database, which SQLite writes.

import { closeSync, constants, fdatasync, openSync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import type { FileReasons } from './failures.ts';
import { cannotOpen } from './file.ts';
import { WAL_HEADER_BYTES, WalFrames } from './wal-frames.ts';

const readAt = promisify(read);
const writeAt = promisify(write);
const syncNow = promisify(fdatasync);
/** How much is read at once: a millisecond for the checksums. */
const FRAMES_AT_ONCE = 256;

/** The write-ahead file does not contain what SQLite has written: SQLite must read it again. */
export class FramesLost extends Error {
  override readonly name = 'FramesLost';
}

/** Open as long as a connection to its database, which must have read: then SQLite neither deletes nor replaces the file. */
export class WriteAheadFile {
  #handle: number | undefined;
  #running: Promise<void> | undefined;
  /** The sync that all calls share which arrived while one was running, because that one may have started before their writes. */
  #next: Promise<void> | undefined;
  #failure: Error | undefined;
  #isClosing = false;

  /** Opens the write-ahead file beside `file`. */
  constructor(file: string, reasons: FileReasons) {
    const path = `${file}-wal`;
    try {
      // Some systems cannot sync a file that is open for reading only.
      this.#handle = openSync(path, constants.O_RDWR);
    } catch (error) {
      throw cannotOpen(path, reasons, error);
    }
  }

  /**
   * Returns when everything that was written before the call survives a crash of the machine. The event loop continues. The system
   * reports a failed sync to one caller only, so only one runs at a time, and all later ones fail too.
   */
  sync(): Promise<void> {
    if (this.#isClosing) return Promise.reject(new Error('The write-ahead file is closed.'));
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#start();
    this.#next = this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#start();
      });
    return this.#next;
  }

  /**
   * Writes the file again as it reads, and syncs it. After a failed sync this is needed before another one means anything, because the
   * system treats failed pages as written. `frames`: how many SQLite counts at least. FramesLost if one of them is not what was written.
   * Call it under the write lock.
   */
  async renew(frames: number): Promise<void> {
    const handle = this.#handle;
    if (this.#isClosing || handle === undefined) throw new Error('The write-ahead file is closed.');
    await Promise.allSettled([this.#running, this.#next]);
    if (frames > 0) await writeAnew(handle, frames);
    await syncNow(handle);
    this.#failure = undefined;
  }

  /** Closes the file after the running syncs. SQLite holds no lock on this file that closing it would release. */
  close(): void {
    this.#isClosing = true;
    this.#letGo();
  }

  #start(): Promise<void> {
    this.#running = new Promise<void>((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      fdatasync(this.#handle as number, (error) => {
        this.#failure ??= error ?? undefined;
        if (error === null) resolve();
        else reject(error);
      });
    }).finally(() => {
      this.#running = undefined;
      this.#letGo();
    });
    return this.#running;
  }

  #letGo(): void {
    if (this.#handle === undefined || !this.#isClosing || this.#running !== undefined || this.#next !== undefined)
      return;
    closeSync(this.#handle);
    this.#handle = undefined;
  }
}

async function writeAnew(handle: number, count: number): Promise<void> {
  const header = Buffer.allocUnsafe(WAL_HEADER_BYTES);
  await readAt(handle, header, 0, header.length, 0);
  const frames = WalFrames.open(header);
  if (frames === undefined) throw new FramesLost('The header of the write-ahead file is lost.');
  await writeAt(handle, header, 0, header.length, 0);
  const { frameBytes } = frames;
  const bytes = Buffer.allocUnsafe(FRAMES_AT_ONCE * frameBytes);
  let written = 0;
  // Up to the first frame that does not continue: later ones are older, or were never committed.
  for (let isWhole = true; isWhole; ) {
    const place = WAL_HEADER_BYTES + written * frameBytes;
    const { bytesRead } = await readAt(handle, bytes, 0, bytes.length, place);
    let end = 0;
    while (end + frameBytes <= bytesRead && frames.take(bytes.subarray(end, end + frameBytes))) end += frameBytes;
    if (end > 0) await writeAt(handle, bytes, 0, end, place);
    written += end / frameBytes;
    isWhole = end === bytes.length;
  }
  if (written < count) throw new FramesLost(`The write-ahead file holds ${written} frames of ${count}.`);
}
