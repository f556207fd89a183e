// What an error of SQLite means to us. The driver's own sentence stays in `cause`.

import { EctError, reject } from '../../errors.ts';

/** The reasons that a store gives for its failures. */
export interface StoreReasons {
  readonly unavailable: 'LEDGER_UNAVAILABLE' | 'REPLAY_GUARD_UNAVAILABLE' | 'IDEMPOTENCY_UNAVAILABLE';
  readonly corrupt: 'LEDGER_CORRUPT' | 'ONCE_CORRUPT' | StoreReasons['unavailable'];
  /** What is kept, for messages: `ledger`. */
  readonly what: string;
  /** The name of its file, without directories: callers may read it. */
  readonly file?: string;
}

type Failure = 'busy' | 'full' | 'io' | 'readonly' | 'unopenable' | 'corrupt' | 'closed' | 'other';

/** Primary result codes of SQLite, and the ones that mean that the content cannot be what we wrote. */
const FAILURES: Readonly<Record<number, Failure>> = {
  // Our statements are fixed, so a statement that makes no sense (1), a broken constraint (19) or a type that does not
  // fit (20) can only come from content or a schema that this code did not write.
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
function nameOf({ what, file }: StoreReasons): string {
  return file === undefined ? `The ${what}` : `The ${what} (${file})`;
}

function lower(name: string): string {
  return name.replace('The', 'the');
}

/** The failure as the store's own error. What is no error of the driver (a rejection, a bug) comes back unchanged. */
export function translated(error: unknown, reasons: StoreReasons): unknown {
  const failure = failureOf(error);
  if (failure === undefined) return error;
  const reason = failure === 'full' ? 'STORAGE_FULL' : failure === 'corrupt' ? reasons.corrupt : reasons.unavailable;
  return new EctError(reject(reason, SENTENCES[failure](nameOf(reasons))), { cause: error });
}

/** A write that the disk did not confirm. */
export function diskFailed(cause: unknown, reasons: StoreReasons): EctError {
  return new EctError(reject(reasons.unavailable, SENTENCES.io(nameOf(reasons))), { cause });
}

/** A write that no start would find again: it went to a file that is not in its place any more. */
export function fileReplaced(file: string, { unavailable, what }: StoreReasons): EctError {
  const message = `${file} was deleted or replaced while the service runs: the ${what} records nothing until it is back.`;
  return new EctError(reject(unavailable, message));
}

/** `cause`: an earlier failure that keeps the store from being written. */
export function takesNoWrites(cause: unknown, isRepairable: boolean, { unavailable, what }: StoreReasons): EctError {
  const next = isRepairable
    ? 'the disk failed: it goes on when the disk answers'
    : isCorruption(cause)
      ? 'it was found damaged: it goes on when an examination has found nothing'
      : 'an earlier failure: restart the service';
  return new EctError(reject(unavailable, `The ${what} takes no writes since ${next}.`), { cause });
}

/**
 * Whether nothing may be written after this error until the file has been opened again. After a failed write or fsync
 * nobody knows which pages reached the disk, and a second fsync would report success without having written them.
 */
export function forbidsWriting(error: unknown): boolean {
  const failure = failureOf(error);
  return failure === 'io' || failure === 'corrupt';
}

/** Whether the disk failed, so that the write-ahead file has to be written anew. Damage is not repaired by writing. */
export function isDiskFailure(error: unknown): boolean {
  return failureOf(error) === 'io';
}

/**
 * Whether the content cannot be what we wrote. SQLite says so of a disk that does not give a page back, too (SQLITE_IOERR_CORRUPTFS), and
 * tells nobody the difference: only an examination of the whole file does.
 */
export function isCorruption(error: unknown): boolean {
  return failureOf(error) === 'corrupt';
}

/** Whether the file cannot be written, or not completely read, for a cause outside of it: the disk, its space, permissions. */
export function stopsWriting(error: unknown): boolean {
  const failure = failureOf(error);
  return failure === 'io' || failure === 'full' || failure === 'readonly' || failure === 'unopenable';
}

/** Whether there is no space, as far as an error of the driver says so. */
export function isFull(error: unknown): boolean {
  return failureOf(error) === 'full';
}

/** Whether another connection holds the lock that was asked for. */
export function isBusy(error: unknown): boolean {
  return failureOf(error) === 'busy';
}

/**
 * The shared-memory index of the write-ahead file could not grow (SQLITE_IOERR_SHMSIZE). It is made anew from that file
 * whenever it is needed, so nothing that is to last is in doubt.
 */
const INDEX_CANNOT_GROW = 10 | (19 << 8);

function failureOf(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  if (error.code === 'ERR_INVALID_STATE') return 'closed';
  // The driver rejects to read an integer beyond 2^53; this code never writes one.
  if (error.code === 'ERR_OUT_OF_RANGE') return 'corrupt';
  if (error.code !== 'ERR_SQLITE_ERROR') return undefined;
  if (!('errcode' in error) || typeof error.errcode !== 'number') return 'other';
  return error.errcode === INDEX_CANNOT_GROW ? 'full' : (FAILURES[error.errcode & 0xff] ?? 'other');
}
