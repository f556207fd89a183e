// Maps errors of SQLite to reasons. The message of the driver stays in `cause`.

import { EctError, reject } from '../../errors.ts';
import type { StoreReasons } from '../store-reasons.ts';

/** The reasons of a store, and its file. */
export interface FileReasons extends Omit<StoreReasons, 'corrupt'> {
  readonly corrupt: StoreReasons['corrupt'] | StoreReasons['unavailable'];
  /** The name of its file, without directories: callers may read it. */
  readonly file?: string;
}

type Failure = 'busy' | 'full' | 'io' | 'readonly' | 'unopenable' | 'corrupt' | 'closed' | 'other';

/** Primary result codes of SQLite, with those that mean that the content is not what we wrote. */
const FAILURES: Readonly<Record<number, Failure>> = {
  // Our statements are fixed, so an SQL error (1), a constraint violation (19) or a type mismatch (20) can only come from content or a
  // schema that this code did not write.
  1: 'corrupt',
  5: 'busy',
  6: 'busy',
  8: 'readonly',
  10: 'io',
  11: 'corrupt',
  13: 'full',
  14: 'unopenable',
  19: 'corrupt',
  20: 'corrupt',
  24: 'corrupt',
  26: 'corrupt',
};

const SENTENCES: Readonly<Record<Failure, (what: string) => string>> = {
  busy: (what) => `${what} is locked by another process.`,
  full: (what) => `There is no space left on the disk of ${lower(what)}.`,
  io: (what) => `The disk failed under ${lower(what)}.`,
  readonly: (what) => `${what} may not be written by this service.`,
  unopenable: (what) => `${what} cannot be opened.`,
  corrupt: (what) => `${what} is damaged: restore it from a backup.`,
  closed: (what) => `${what} is closed.`,
  other: (what) => `${what} does not answer.`,
};

/** `The ledger (ledger.db)`. */
function nameOf({ what, file }: FileReasons): string {
  return file === undefined ? `The ${what}` : `The ${what} (${file})`;
}

function lower(name: string): string {
  return name.replace('The', 'the');
}

/** The failure as the error of the store. Other errors (a rejection, a bug) are returned unchanged. */
export function translated(error: unknown, reasons: FileReasons): unknown {
  const failure = failureOf(error);
  if (failure === undefined) return error;
  const reason = failure === 'full' ? 'STORAGE_FULL' : failure === 'corrupt' ? reasons.corrupt : reasons.unavailable;
  return new EctError(reject(reason, SENTENCES[failure](nameOf(reasons))), { cause: error });
}

/** A write that the disk did not confirm. */
export function diskFailed(cause: unknown, reasons: FileReasons): EctError {
  return new EctError(reject(reasons.unavailable, SENTENCES.io(nameOf(reasons))), { cause });
}

/** A write to a file that was deleted or replaced, which a restart would not find. */
export function fileReplaced(file: string, { unavailable, what }: FileReasons): EctError {
  const message = `${file} was deleted or replaced while the service runs: the ${what} records nothing until it is back.`;
  return new EctError(reject(unavailable, message));
}

/** `cause`: the earlier failure because of which the store rejects writes. */
export function takesNoWrites(cause: unknown, isRepairable: boolean, { unavailable, what }: FileReasons): EctError {
  const next = isRepairable
    ? 'the disk failed: it goes on when the disk answers'
    : isCorruption(cause)
      ? 'it was found damaged: it goes on when an examination has found nothing'
      : 'an earlier failure: restart the service';
  return new EctError(reject(unavailable, `The ${what} takes no writes since ${next}.`), { cause });
}

/**
 * Whether all writes must be rejected after this error until the file was opened again. After a failed write or fsync it is unknown which
 * pages are durable, and another fsync would report success without having written them.
 */
export function forbidsWriting(error: unknown): boolean {
  const failure = failureOf(error);
  return failure === 'io' || failure === 'corrupt';
}

/** Whether the disk failed, so that the write-ahead file must be written again. Writing does not repair damage. */
export function isDiskFailure(error: unknown): boolean {
  return failureOf(error) === 'io';
}

/**
 * Whether the content is not what we wrote. SQLite also reports an unreadable page of a disk so (SQLITE_IOERR_CORRUPTFS); only an
 * examination of the whole file distinguishes them.
 */
export function isCorruption(error: unknown): boolean {
  return failureOf(error) === 'corrupt';
}

/** Whether the file cannot be written, or not completely read, for an external cause: the disk, its space, permissions. */
export function stopsWriting(error: unknown): boolean {
  const failure = failureOf(error);
  return failure === 'io' || failure === 'full' || failure === 'readonly' || failure === 'unopenable';
}

/** Whether there is no space, as far as the error of the driver shows it. */
export function isFull(error: unknown): boolean {
  return failureOf(error) === 'full';
}

/** Whether another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return failureOf(error) === 'busy';
}

/**
 * The shared-memory index of the write-ahead file could not grow (SQLITE_IOERR_SHMSIZE). SQLite recreates it from that file, so nothing
 * durable is lost.
 */
const INDEX_CANNOT_GROW = 10 | (19 << 8);

function failureOf(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  if (error.code === 'ERR_INVALID_STATE') return 'closed';
  // The driver rejects integers beyond 2^53; this code never writes one.
  if (error.code === 'ERR_OUT_OF_RANGE') return 'corrupt';
  if (error.code !== 'ERR_SQLITE_ERROR') return undefined;
  if (!('errcode' in error) || typeof error.errcode !== 'number') return 'other';
  return error.errcode === INDEX_CANNOT_GROW ? 'full' : (FAILURES[error.errcode & 0xff] ?? 'other');
}
