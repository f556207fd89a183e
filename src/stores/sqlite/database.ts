// One open SQLite file, read and written through its own functions. What has been written is answered when it is durable.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { EctError, refuse } from '../../errors.ts';
import type { Backfill } from './backfill.ts';
import { diskFailed, fileReplaced, forbidsWriting, isBusy, type StoreReasons, translated } from './failures.ts';
import type { FilesInPlace } from './files-in-place.ts';
import type { WriteAheadFile } from './write-ahead-file.ts';

/** How long a writer waits for another process, in milliseconds. */
export const BUSY_TIMEOUT_MS = 2_000;

/** How often a writer that does not wait inside its call asks again, in milliseconds: a commit takes about as long. */
const ASK_AGAIN_MS = 1;

/** What follows the commits of a connection that does not sync them. */
export interface AfterCommit {
  readonly disk: Pick<WriteAheadFile, 'sync' | 'close'>;
  readonly backfill: Backfill;
  /** What is written is durable only under the names by which it is found again. */
  readonly files?: FilesInPlace;
}

/** An open file. Errors of the driver leave as EctError. */
export class SqliteDatabase {
  /** For preparing statements. Use `read` and `write` to run them. */
  readonly connection: DatabaseSync;
  readonly #reasons: StoreReasons;
  readonly #begin: StatementSync;
  readonly #beginImmediate: StatementSync;
  readonly #commit: StatementSync;
  readonly #afterCommit: AfterCommit | undefined;
  #unsafe: unknown;

  /** Where nothing is to follow a commit, the connection itself makes it durable (`synchronous=FULL`), or only reads. */
  constructor(connection: DatabaseSync, reasons: StoreReasons, afterCommit?: AfterCommit) {
    this.connection = connection;
    this.#reasons = reasons;
    this.#afterCommit = afterCommit;
    this.#begin = connection.prepare('BEGIN');
    this.#beginImmediate = connection.prepare('BEGIN IMMEDIATE');
    this.#commit = connection.prepare('COMMIT');
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
    this.#refuseUnsafe();
    return this.#transaction(this.#beginImmediate, work);
  }

  /**
   * The same, and answers when it is durable. While another process holds the lock, and while the disk writes, this one goes on
   * with its other calls. After an error that leaves the disk in doubt every further write is refused: open the file anew.
   */
  async writeDurably<T>(work: () => T): Promise<T> {
    const giveUpMs = performance.now() + BUSY_TIMEOUT_MS;
    this.#refuseUnsafe();
    // What is refused after it was written could never be shown again.
    this.#refuseReplaced();
    while (!this.#beginNow(giveUpMs)) {
      await pause(ASK_AGAIN_MS);
      this.#refuseUnsafe();
    }
    const result = this.#finish(work);
    this.#afterCommit?.backfill.consider();
    await this.sync();
    return result;
  }

  /**
   * Answers when all that this connection has written or read is durable. A commit can be read, here and by other processes,
   * before it is on the disk: whoever shows what a crash could take back asks for this first. Refused where the files have been
   * deleted or replaced: then no start would find what was written. It goes on when they are back.
   */
  async sync(): Promise<void> {
    if (this.#afterCommit === undefined) return;
    this.#refuseUnsafe();
    try {
      // The commit point: when this has returned, what was written is on the disk.
      await this.#afterCommit.disk.sync();
    } catch (error) {
      // A second sync would report success without having written anything.
      this.#unsafe ??= error;
      throw diskFailed(error, this.#reasons);
    }
    this.#refuseReplaced();
  }

  /** The name of a file of this database that was deleted or replaced since it was opened; undefined where none was. */
  replacedFile(): string | undefined {
    return this.#afterCommit?.files?.replaced();
  }

  /** Closes the file when nothing works on it in the background. */
  async end(): Promise<void> {
    await this.#afterCommit?.backfill.rest();
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

  #refuseReplaced(): void {
    const replaced = this.replacedFile();
    if (replaced !== undefined) throw fileReplaced(replaced, this.#reasons);
  }

  #refuseUnsafe(): void {
    if (this.#unsafe === undefined) return;
    const message = `The ${this.#reasons.what} takes no writes since an earlier failure: restart the service.`;
    throw new EctError(refuse(this.#reasons.unavailable, message), { cause: this.#unsafe });
  }

  #rollBack(): void {
    try {
      if (this.connection.isOpen && this.connection.isTransaction) this.connection.exec('ROLLBACK');
    } catch (error) {
      // A transaction that cannot be ended would swallow the next one's work.
      this.#unsafe ??= error;
    }
  }

  #failed(error: unknown): unknown {
    if (forbidsWriting(error)) this.#unsafe ??= error;
    return translated(error, this.#reasons);
  }
}
