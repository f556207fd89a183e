// One open SQLite file, read and written through its own functions. What has been written is answered when it is durable.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { EctError, reject } from '../../errors.ts';
import type { Backfill } from './backfill.ts';
import {
  diskFailed,
  fileReplaced,
  forbidsWriting,
  isBusy,
  isCorruption,
  type StoreReasons,
  stopsWriting,
  translated,
} from './failures.ts';
import type { FilesInPlace } from './files-in-place.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';
import { FramesLost, type WriteAheadFile } from './write-ahead-file.ts';
import { WriteState } from './write-state.ts';

/** How long a writer waits for another process, in milliseconds. */
export const BUSY_TIMEOUT_MS = 2_000;

/** How often a writer that does not wait inside its call asks again, in milliseconds: a commit takes about as long. */
const ASK_AGAIN_MS = 1;

/** What follows the commits of a connection that does not sync them. */
export interface AfterCommit {
  readonly disk: Pick<WriteAheadFile, 'sync' | 'close'> & Partial<Pick<WriteAheadFile, 'renew'>>;
  readonly backfill: Backfill;
  /** What is written is durable only under the names by which it is found again. */
  readonly files?: FilesInPlace;
  readonly watch?: StorageWatch | undefined;
}

/** An open file. Errors of the driver leave as EctError. */
export class SqliteDatabase implements WritableStore {
  /** For preparing statements. Use `read` and `write` to run them. */
  readonly connection: DatabaseSync;
  readonly #reasons: StoreReasons;
  readonly #begin: StatementSync;
  readonly #beginImmediate: StatementSync;
  readonly #commit: StatementSync;
  readonly #afterCommit: AfterCommit | undefined;
  readonly #writes: WriteState;

  /** Where nothing is to follow a commit, the connection itself makes it durable (`synchronous=FULL`), or only reads. */
  constructor(connection: DatabaseSync, reasons: StoreReasons, afterCommit?: AfterCommit) {
    this.connection = connection;
    this.#reasons = reasons;
    this.#afterCommit = afterCommit;
    this.#writes = new WriteState(reasons, (stage, error) => afterCommit?.watch?.failed(this.#name, stage, error));
    this.#begin = connection.prepare('BEGIN');
    this.#beginImmediate = connection.prepare('BEGIN IMMEDIATE');
    this.#commit = connection.prepare('COMMIT');
  }

  get #name(): string {
    return this.#reasons.file ?? this.#reasons.what;
  }

  /** Runs statements that only read. */
  read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Runs statements that see one state of the file, whatever others write meanwhile. */
  snapshot<T>(work: () => T): T {
    return this.#transaction(this.#begin, work);
  }

  /**
   * Runs `work` under the write lock of the file, and commits. Whatever goes wrong, an exception of `work` included,
   * nothing of it stays. The whole process waits for the lock. It is durable where the connection itself syncs.
   */
  write<T>(work: () => T): T {
    this.#writes.rejectUnsafe();
    return this.#transaction(this.#beginImmediate, work);
  }

  /**
   * The same, and returns when it is durable. While another process holds the lock, and while the disk writes, this one goes on
   * with its other calls. After an error that leaves the disk in doubt every further write is rejected until `checkWrites`
   * has made writing safe again.
   */
  async writeDurably<T>(work: () => T): Promise<T> {
    const giveUpMs = performance.now() + BUSY_TIMEOUT_MS;
    this.#writes.rejectUnsafe();
    // What is rejected after it was written could never be shown again.
    this.#rejectReplaced();
    while (!this.#beginNow(giveUpMs)) {
      await pause(ASK_AGAIN_MS);
      this.#writes.rejectUnsafe();
    }
    const result = this.#finish(work);
    this.#afterCommit?.backfill.consider();
    await this.sync();
    this.#writes.succeeded();
    return result;
  }

  /**
   * Returns when all that this connection has written or read is durable. A commit can be read, here and by other processes,
   * before it is on the disk: whoever shows what a crash could take back asks for this first. Rejected where the files have been
   * deleted or replaced: then no start would find what was written. It goes on when they are back.
   */
  async sync(): Promise<void> {
    if (this.#afterCommit === undefined) return;
    this.#writes.rejectUnsafe();
    try {
      // The commit point: when this has returned, what was written is on the disk.
      await this.#afterCommit.disk.sync();
    } catch (error) {
      // A second sync would report success without having written anything.
      this.#writes.failed(error, 'sync');
      throw diskFailed(error, this.#reasons);
    }
    this.#rejectReplaced();
  }

  /** The name of a file of this database that was deleted or replaced since it was opened; undefined where none was. */
  replacedFile(): string | undefined {
    return this.#afterCommit?.files?.replaced();
  }

  /** Throws where the file is known to be damaged: that it does not hold something must not decide about anything new. */
  rejectDamaged(): void {
    if (this.#afterCommit?.watch?.isDamaged(this.#name) !== true) return;
    const { corrupt, what } = this.#reasons;
    const message = `The ${what} is damaged: nothing is written to it, and that it does not hold something is not known.`;
    throw new EctError(reject(corrupt, message));
  }

  isWritable(): boolean {
    return this.#writes.isWritable && !this.#afterCommit?.backfill.hasFailed;
  }

  isFull(): boolean {
    return this.#writes.isFull;
  }

  async checkWrites(): Promise<void> {
    if (this.isWritable() && this.#writes.isRecent) return;
    if (this.#writes.unsafe !== undefined) await this.#makeSafe();
    // What is damaged is left as it is, whatever the disk would take.
    if (this.#afterCommit?.watch?.isDamaged(this.#name) === true) return;
    const version = Number(this.connection.prepare('PRAGMA user_version').get()?.['user_version']);
    // SQLite writes the page that holds it whether it is another one or not.
    await this.writeDurably(() => this.connection.exec(`PRAGMA user_version=${version}`));
    try {
      await this.#afterCommit?.backfill.retry();
    } catch (error) {
      throw translated(error, this.#reasons);
    }
  }

  /**
   * Closes the file when nothing works on it in the background. The last one who closes it moves all pages, so that a file whose
   * pages are in doubt is left open.
   */
  async end(): Promise<void> {
    await this.#afterCommit?.backfill.rest();
    if (this.#writes.unsafe?.isRepairable === true) {
      try {
        await this.#makeSafe();
      } catch {
        this.#afterCommit?.watch?.lost(this.#name);
        return;
      }
    }
    this.close();
  }

  close(): void {
    this.#afterCommit?.disk.close();
    if (this.connection.isOpen) this.connection.close();
  }

  #transaction<T>(begin: StatementSync, work: () => T): T {
    try {
      begin.run();
    } catch (error) {
      throw this.#failed(error);
    }
    return this.#finish(work);
  }

  /** Whether the write lock could be had at once. From `giveUpMs` on, that it could not is an error. */
  #beginNow(giveUpMs: number): boolean {
    try {
      this.connection.exec('PRAGMA busy_timeout=0');
      try {
        this.#beginImmediate.run();
      } finally {
        this.connection.exec(`PRAGMA busy_timeout=${BUSY_TIMEOUT_MS}`);
      }
      return true;
    } catch (error) {
      if (isBusy(error) && performance.now() < giveUpMs) return false;
      throw this.#failed(error);
    }
  }

  /** Runs `work` in the transaction that has begun. */
  #finish<T>(work: () => T): T {
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      const failed = this.#failed(error);
      this.#rollBack();
      throw failed;
    }
  }

  #rejectReplaced(): void {
    const replaced = this.replacedFile();
    if (replaced !== undefined) throw fileReplaced(replaced, this.#reasons);
  }

  /**
   * Makes sure that what the write-ahead file holds is on the disk, after an error that left this in doubt. What SQLite failed
   * to write was rolled back, and the next commit writes it over; what failed to be synced is written anew.
   */
  async #makeSafe(): Promise<void> {
    if (this.connection.isTransaction) {
      // It would swallow the next one's work, and cannot be ended.
      this.#afterCommit?.watch?.lost(this.#name);
      return this.#writes.rejectUnsafe();
    }
    if (this.#writes.unsafe?.isRepairable !== true) return this.#goOnIfSound();
    const giveUpMs = performance.now() + BUSY_TIMEOUT_MS;
    // SQLite counts outside of transactions only: another process may still add frames, or begin the file anew.
    const frames = this.#countFrames();
    try {
      while (!this.#beginNow(giveUpMs)) await pause(ASK_AGAIN_MS);
      await this.#afterCommit?.disk.renew?.(frames);
      this.#writes.repaired();
    } catch (error) {
      this.#rollBack();
      // No response depends on the lost frames. A new process reads the file up to them.
      const isLost =
        error instanceof FramesLost
          ? this.#countFrames() >= frames
          : error instanceof EctError && isCorruption(error.cause);
      if (isLost) this.#afterCommit?.watch?.lost(this.#name);
      throw error instanceof EctError ? error : diskFailed(error, this.#reasons);
    } finally {
      this.#rollBack();
    }
  }

  /** Damage is not repaired by writing. It is over when all of the file was examined, and nothing was found. */
  #goOnIfSound(): void {
    const isDamaged = this.#afterCommit?.watch?.isDamaged(this.#name) ?? true;
    if (isDamaged || !isCorruption(this.#writes.unsafe?.cause)) this.#writes.rejectUnsafe();
    // What was read of it then is not trusted.
    this.connection.exec('PRAGMA shrink_memory');
    this.#writes.repaired();
  }

  #countFrames(): number {
    return Number(this.connection.prepare('PRAGMA wal_checkpoint(NOOP)').get()?.['log']);
  }

  #rollBack(): void {
    try {
      if (this.connection.isOpen && this.connection.isTransaction) this.connection.exec('ROLLBACK');
    } catch (error) {
      // A transaction that cannot be ended would swallow the next one's work.
      this.#writes.forbid(error);
    }
  }

  #failed(error: unknown): unknown {
    if (forbidsWriting(error) || stopsWriting(error)) this.#writes.failed(error, 'statement');
    return translated(error, this.#reasons);
  }
}
