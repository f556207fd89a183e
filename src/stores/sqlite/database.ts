// One open SQLite file, read and written through its own functions. A write returns when it is durable.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { EctError, reject } from '../../errors.ts';
import type { Backfill } from './backfill.ts';
import {
  diskFailed,
  type FileReasons,
  fileReplaced,
  forbidsWriting,
  isBusy,
  isCorruption,
  stopsWriting,
  translated,
} from './failures.ts';
import type { FilesInPlace } from './files-in-place.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';
import { FramesLost, type WriteAheadFile } from './write-ahead-file.ts';
import { WriteState } from './write-state.ts';

/** How long a writer waits for another process, in milliseconds. */
export const BUSY_TIMEOUT_MS = 2_000;

/** How often a writer outside the event loop's call tries again, in milliseconds: a commit takes about as long. */
const ASK_AGAIN_MS = 1;

/** What runs after the commits of a connection that does not sync them. */
export interface AfterCommit {
  readonly disk: Pick<WriteAheadFile, 'sync' | 'close'> & Partial<Pick<WriteAheadFile, 'renew'>>;
  readonly backfill: Backfill;
  /** A write is durable only if the file is still under its name. */
  readonly files?: FilesInPlace;
  readonly watch?: StorageWatch | undefined;
}

/** An open file. Errors of the driver become EctError. */
export class SqliteDatabase implements WritableStore {
  /** For preparing statements. Use `read` and `write` to run them. */
  readonly connection: DatabaseSync;
  readonly #reasons: FileReasons;
  readonly #begin: StatementSync;
  readonly #beginImmediate: StatementSync;
  readonly #commit: StatementSync;
  readonly #afterCommit: AfterCommit | undefined;
  readonly #writes: WriteState;

  /** If nothing runs after a commit, the connection itself syncs it (`synchronous=FULL`), or only reads. */
  constructor(connection: DatabaseSync, reasons: FileReasons, afterCommit?: AfterCommit) {
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

  /** Runs statements in one read transaction. */
  snapshot<T>(work: () => T): T {
    return this.#transaction(this.#begin, work);
  }

  /**
   * Runs `work` under the write lock of the file, and commits. After any error, including an exception of `work`, nothing is written. The
   * whole process waits for the lock. The commit is durable if the connection itself syncs.
   */
  write<T>(work: () => T): T {
    this.#writes.rejectUnsafe();
    return this.#transaction(this.#beginImmediate, work);
  }

  /**
   * The same, and returns when it is durable. While another process has the lock, and while the disk writes, other calls of this process
   * continue. After an error with an unknown state of the disk all further writes are rejected until `checkWrites` has repaired it.
   */
  async writeDurably<T>(work: () => T): Promise<T> {
    const giveUpMs = performance.now() + BUSY_TIMEOUT_MS;
    this.#writes.rejectUnsafe();
    // An entry of a rejected commit would be visible later, so it is rejected before.
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
   * Returns when everything that this connection has written or read is durable. A commit can be read, here and by other processes,
   * before it is durable: call this before showing it. Rejects if the files were deleted or replaced, because a restart would not find
   * the writes. Continues when they are back.
   */
  async sync(): Promise<void> {
    if (this.#afterCommit === undefined) return;
    this.#writes.rejectUnsafe();
    try {
      // The commit point: when this returns, the writes are durable.
      await this.#afterCommit.disk.sync();
    } catch (error) {
      // Another sync would report success without having written anything.
      this.#writes.failed(error, 'sync');
      throw diskFailed(error, this.#reasons);
    }
    this.#rejectReplaced();
  }

  /** The name of a file of this database that was deleted or replaced since it was opened; undefined if none was. */
  replacedFile(): string | undefined {
    return this.#afterCommit?.files?.replaced();
  }

  /** Throws if the file is known to be damaged: then a missing row must not decide about anything new. */
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
    // A damaged file is not written, whatever the disk would accept.
    if (this.#afterCommit?.watch?.isDamaged(this.#name) === true) return;
    const version = Number(this.connection.prepare('PRAGMA user_version').get()?.['user_version']);
    // SQLite writes the page in any case, even if its content is the same.
    await this.writeDurably(() => this.connection.exec(`PRAGMA user_version=${version}`));
    try {
      await this.#afterCommit?.backfill.retry();
    } catch (error) {
      throw translated(error, this.#reasons);
    }
  }

  /**
   * Closes the file after its background work. The last process to close it moves all pages, so a file with unreliable pages stays open.
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

  /** Whether the write lock was free. From `giveUpMs` on, a busy lock is an error. */
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

  /** Runs `work` in the current transaction. */
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
   * Makes sure that the content of the write-ahead file is durable, after an error with an unknown state of the disk. Failed writes were
   * rolled back, and the next commit overwrites them; pages whose sync failed are written again.
   */
  async #makeSafe(): Promise<void> {
    if (this.connection.isTransaction) {
      // An open transaction would absorb the next one, and cannot be ended.
      this.#afterCommit?.watch?.lost(this.#name);
      return this.#writes.rejectUnsafe();
    }
    if (this.#writes.unsafe?.isRepairable !== true) return this.#goOnIfSound();
    const giveUpMs = performance.now() + BUSY_TIMEOUT_MS;
    // SQLite counts frames outside transactions only: another process may still add some, or restart the file.
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

  /** Writing does not repair damage. It ends when the whole file was examined without a fault. */
  #goOnIfSound(): void {
    const isDamaged = this.#afterCommit?.watch?.isDamaged(this.#name) ?? true;
    if (isDamaged || !isCorruption(this.#writes.unsafe?.cause)) this.#writes.rejectUnsafe();
    // Pages that were read meanwhile are not trusted.
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
      // A transaction that cannot be ended would absorb the next one.
      this.#writes.forbid(error);
    }
  }

  #failed(error: unknown): unknown {
    if (forbidsWriting(error) || stopsWriting(error)) this.#writes.failed(error, 'statement');
    return translated(error, this.#reasons);
  }
}
