// The high-water mark of a ledger in its own file. Each process has a slot of three pages, which it writes in turn: one is durable, one
// is being synced, one is being written. So a page torn by a power failure is never the only one.

import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { EctError, reject } from '../errors.ts';
import { fileFault } from '../files/system-faults.ts';
import { type HighWaterMark, HistoryLost, type KeptCheckpoint } from '../ledger/index.ts';
import { countDamaged, keptIn, PAGE_BYTES, pageOf, pagesOf, sizeIn } from './mark-pages.ts';

const PAGES = 3;
const SLOT_BYTES = PAGES * PAGE_BYTES;

/**
 * The mark is durable this long after it was raised, in milliseconds, plus the time of a sync. Only a crash of the machine matters: the
 * entries are durable before, so the mark is then behind them by at most this time.
 */
const SYNC_AFTER_MS = 1_000;

export class MarkFile implements HighWaterMark {
  readonly #path: string;
  /** The offset of the pages of this process. */
  readonly #offset: number;
  /** Whether there was no mark when the file was opened. */
  readonly isNew: boolean;
  /** The number of unreadable pages, as found by the process of the first slot: the other pages are used instead, and may be older. */
  readonly damagedPages: number;
  #handle: number;
  #page: number;
  #newest: KeptCheckpoint | undefined;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  private constructor(path: string, slot: number) {
    this.#path = path;
    this.#offset = slot * SLOT_BYTES;
    const before = pagesOf(path);
    this.isNew = keptIn(before).length === 0;
    // Another process may have been writing one at that moment.
    this.damagedPages = slot > 0 || countDamaged(before) === 0 ? 0 : MarkFile.damagedPages(path);
    this.#handle = openFile(path);
    const own = Array.from({ length: PAGES }, (_, page) => before[slot * PAGES + page]);
    // The newest page of the previous process of this slot stays until a newer one is durable.
    const sizes = own.map((page) => sizeIn(page));
    this.#page = (sizes.indexOf(Math.max(...sizes)) + 1) % PAGES;
    for (const [page, bytes] of own.entries()) {
      // Allocates the space now, so that a full disk does not prevent overwriting.
      if (bytes?.length !== PAGE_BYTES) this.#writePage(page, Buffer.alloc(PAGE_BYTES));
    }
    fsyncSync(this.#handle);
    syncDirectory(dirname(path));
  }

  /** Opens the mark at `path`, and creates the file if it does not exist. Each running process has its own `slot`, from 0. */
  static open(path: string, slot: number): MarkFile {
    try {
      return new MarkFile(path, slot);
    } catch (error) {
      throw error instanceof HistoryLost ? error : unavailable(path, 'opened', error);
    }
  }

  /** Reads the mark at `path`. Empty if there is none. HistoryLost if no page is intact. */
  static read(path: string): readonly KeptCheckpoint[] {
    try {
      return keptIn(pagesOf(path));
    } catch (error) {
      if (!(error instanceof HistoryLost)) throw error;
      // A running service may have been writing its first page at that moment.
      return keptIn(pagesOf(path));
    }
  }

  /** The number of unreadable pages at `path`. */
  static damagedPages(path: string): number {
    return countDamaged(pagesOf(path));
  }

  /** Replaces the mark at `path`, whatever it contains. No process may have it open. */
  static async replace(path: string, kept: KeptCheckpoint): Promise<void> {
    const draft = `${path}.new`;
    rmSync(draft, { force: true });
    const mark = new MarkFile(draft, 0);
    mark.raise(kept);
    await mark.close();
    renameSync(draft, path);
    syncDirectory(dirname(path));
  }

  read(): readonly KeptCheckpoint[] {
    return MarkFile.read(this.#path);
  }

  raise(kept: KeptCheckpoint): void {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      this.#newest = kept;
      this.#writePage(this.#page, pageOf(kept));
    } catch (cause) {
      throw unavailable(basename(this.#path), 'written', cause);
    }
    this.#timer ??= setTimeout(() => this.#startSync(), SYNC_AFTER_MS).unref();
  }

  /** Syncs the mark, and closes the file. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) this.#startSync();
    await this.#syncing;
    clearTimeout(this.#timer);
    closeSync(this.#handle);
  }

  #writePage(page: number, bytes: Buffer): void {
    writeSync(this.#handle, bytes, 0, PAGE_BYTES, this.#offset + page * PAGE_BYTES);
  }

  #startSync(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#syncing = this.#syncing.then(() => this.#sync());
  }

  async #sync(): Promise<void> {
    try {
      this.#reopenIfReplaced();
      if (this.#failure !== undefined) return await this.#syncAnew();
      // Later marks go to a page that is neither being synced nor was synced last.
      this.#page = (this.#page + 1) % PAGES;
      await synced(this.#handle);
    } catch (error) {
      this.#failure = error as Error;
      this.#timer ??= setTimeout(() => this.#startSync(), SYNC_AFTER_MS).unref();
    }
  }

  /** After a failure, another sync alone would report success without having written anything. No mark is raised meanwhile. */
  async #syncAnew(): Promise<void> {
    if (this.#newest !== undefined) this.#writePage(this.#page, pageOf(this.#newest));
    await synced(this.#handle);
    this.#page = (this.#page + 1) % PAGES;
    this.#failure = undefined;
  }

  /** Creates a deleted mark again: the store that it belongs to still exists. */
  #reopenIfReplaced(): void {
    const directory = dirname(this.#path);
    if (this.#newest === undefined || inodeAt(this.#path) === fstatSync(this.#handle, { bigint: true }).ino) return;
    // Without the directory no entry is recorded either.
    if (inodeAt(directory) === undefined) return;
    const handle = openFile(this.#path);
    closeSync(this.#handle);
    this.#handle = handle;
    this.#writePage(this.#page, pageOf(this.#newest));
    syncDirectory(directory);
  }
}

function unavailable(path: string, use: string, cause: unknown): EctError {
  const isFull = (cause as NodeJS.ErrnoException).code === 'ENOSPC';
  const message = `The high-water mark of the ledger cannot be ${use}: ${fileFault(path, cause, 'written')}.`;
  return new EctError(reject(isFull ? 'STORAGE_FULL' : 'LEDGER_UNAVAILABLE', message), { cause });
}

function openFile(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
}

function synced(handle: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(handle, (error) => (error === null ? resolve() : reject(error)));
  });
}

function inodeAt(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

// A new name is durable only after its directory was synced.
function syncDirectory(directory: string): void {
  const handle = openSync(directory, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
