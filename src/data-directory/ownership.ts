// Who owns a data directory: one service, for as long as its process lives. The lock is the operating system's (SQLite takes
// fcntl locks on `owner.lock`), so it ends with the process however that ends, and a stale one cannot be. The service holds
// SQLite's RESERVED lock, its workers the SHARED one beside it.

import { closeSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { readStart } from '../files/bounded-read.ts';
import { demandFile } from '../files/file-type.ts';
import { writeFault } from '../files/system-faults.ts';
import { type DataDir, StartError } from './data-dir.ts';

/** Another process owns the data directory. Nothing in it was read or changed. */
export class DirectoryInUse extends StartError {
  /** Who has it, without what to do. */
  readonly fact: string;
  /** What makes it free, without a full stop: a command may have another way beside it. */
  readonly firstStep: string;

  constructor(fact: string, firstStep: string, otherSteps: string) {
    super(`${fact} ${firstStep}${otherSteps}`);
    this.fact = fact;
    this.firstStep = firstStep;
  }
}

/** Held until it is released, or the process ends. */
export interface Ownership {
  /** Whether the lock file was deleted or replaced: then another service can own the directory too. */
  isLost(): boolean;
  release(): void;
}

/** How long workers of a service that was killed may take to end. Each ends by itself as soon as it sees that. */
const ORPHANS_MS = 5_000;
const ASK_AGAIN_MS = 50;
const SQLITE_BUSY = 5;
/** More than any `owner.json` holds. */
const OWNER_BYTES = 4_096;
/** The file is not SQLite's, or not as SQLite left it. */
const SQLITE_OTHER_CONTENT: readonly number[] = [11, 26];

/** Connections that hold a lock: one that was garbage-collected would release it. */
const held = new Set<DatabaseSync>();

/**
 * Takes the directory for this process and its workers. DirectoryInUse where another service has it, and where workers of
 * one that was killed do not end.
 */
export async function takeOwnership(dir: DataDir): Promise<Ownership> {
  const lock = openLock(dir);
  try {
    // Nothing is ever written, so there is nothing to keep a journal file for.
    if (!runs(lock, 'PRAGMA journal_mode=MEMORY')) throw inUse(dir);
    const giveUpMs = performance.now() + ORPHANS_MS;
    // No other process may hold any lock, including workers.
    while (!runs(lock, 'BEGIN EXCLUSIVE')) {
      if (!runs(lock, 'BEGIN IMMEDIATE')) throw inUse(dir);
      lock.exec('ROLLBACK');
      if (performance.now() >= giveUpMs) throw orphaned(dir);
      await pause(ASK_AGAIN_MS);
    }
    lock.exec('ROLLBACK');
    // In between another may have been quicker. From here on it is ours.
    if (!runs(lock, 'BEGIN IMMEDIATE')) throw inUse(dir);
    introduce(dir);
  } catch (error) {
    lock.close();
    throw error instanceof StartError ? error : cannotLock(dir, error);
  }
  return hold(dir, lock);
}

/** Takes a worker's part in a directory that its supervisor owns. */
export function joinOwner(dir: DataDir): Ownership {
  const lock = openLock(dir, ORPHANS_MS);
  try {
    lock.exec('BEGIN; SELECT 1 FROM sqlite_schema');
  } catch (error) {
    lock.close();
    throw cannotLock(dir, error);
  }
  return hold(dir, lock);
}

function hold({ lock: path }: DataDir, lock: DatabaseSync): Ownership {
  held.add(lock);
  const inodeOf = () => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
  const inode = inodeOf();
  return {
    isLost: () => inodeOf() !== inode,
    release() {
      if (held.delete(lock)) lock.close();
    },
  };
}

function openLock(dir: DataDir, timeout = 0): DatabaseSync {
  try {
    makeEmpty(dir.lock);
    demandFile(dir.lock);
    return new DatabaseSync(dir.lock, { timeout });
  } catch (error) {
    throw cannotLock(dir, error);
  }
}

/** An existing file is not opened: closing it again would release the locks of this process (POSIX). */
function makeEmpty(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** False where another process holds a lock that forbids it. */
function runs(lock: DatabaseSync, statement: string): boolean {
  try {
    lock.exec(statement);
    return true;
  } catch (error) {
    if (errcodeOf(error) === SQLITE_BUSY) return false;
    throw error;
  }
}

/** SQLite's primary result code; 0 of another error. */
function errcodeOf(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) % 256;
}

/**
 * Says who the owner is, for people: nothing is decided by it, and it stays when the owner is gone. Where it cannot be written,
 * on a full disk for one, the directory is owned all the same.
 */
function introduce({ owner }: DataDir): void {
  const text = JSON.stringify({ pid: process.pid, host: hostname(), since: new Date().toISOString() });
  const draft = `${owner}.new`;
  try {
    // A FIFO in its place would be waited for.
    rmSync(draft, { force: true });
    writeFileSync(draft, `${text}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(draft, owner);
  } catch {
    // What is left would name another owner.
    for (const path of [draft, owner]) rmSync(path, { force: true, recursive: true });
  }
}

function inUse(dir: DataDir): DirectoryInUse {
  return new DirectoryInUse(
    `The data directory ${dir.path} is in use by ${ownerOf(dir)}.`,
    'Stop that service first',
    ', or set ECT_DATA_DIR to another directory. ECT_WORKERS gives one service several processes.',
  );
}

function orphaned({ path }: DataDir): DirectoryInUse {
  return new DirectoryInUse(
    `The data directory ${path} is in use by workers of a service whose supervisor has ended.`,
    'End these processes first (node processes that run `serve`)',
    '.',
  );
}

function ownerOf({ owner }: DataDir): string {
  try {
    const { pid, host, since } = JSON.parse(readStart(owner, OWNER_BYTES).toString('utf8')) as Readonly<
      Record<string, unknown>
    >;
    return `process ${Number(pid)} of the host ${JSON.stringify(host)}, since ${JSON.stringify(since)}`;
  } catch {
    return 'another process';
  }
}

function cannotLock({ lock }: DataDir, cause: unknown): StartError {
  if (cause instanceof StartError) return cause;
  if (SQLITE_OTHER_CONTENT.includes(errcodeOf(cause))) {
    const message = `The data directory cannot be locked: ${lock} has a content, and the file that a service locks is empty. `;
    return new StartError(`${message}While no service runs over the directory, move the file away.`, { cause });
  }
  const next = 'Put the data directory on a local file system that this user can write.';
  return new StartError(`The data directory cannot be locked: ${writeFault(lock, cause, next)}`, { cause });
}
