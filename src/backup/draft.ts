// The directory in which a backup is made. It is beside the final directory and has another name until the backup is complete and
// verified. If the work ends before that, nothing exists under the name of the backup.

import { constants, lstatSync, readdirSync, rmSync, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { filesIn } from '../data-directory/data-dir.ts';
import { DirectoryInUse, type Ownership, takeOwnership } from '../data-directory/ownership.ts';
import { isUnfinished, UNFINISHED } from './names.ts';
import { rejection, writeRejection } from './rejections.ts';

const MARKER_FLAGS =
  constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** When it is disposed of, the directory is removed unless it was published. */
export class Draft implements AsyncDisposable {
  readonly target: string;
  readonly path: string;
  readonly #ownership: Ownership;
  #isPublished = false;

  private constructor(target: string, path: string, ownership: Ownership) {
    this.target = target;
    this.path = path;
    this.#ownership = ownership;
    for (const signal of SIGNALS) process.on(signal, this.#endBy);
  }

  /** Creates the directory beside `directory`, which must be missing or empty. Removes what an interrupted backup left. */
  static async begin(directory: string): Promise<Draft> {
    const target = resolve(directory);
    const path = `${target}.new`;
    try {
      await rejectTaken(target, directory);
      rejectWithoutParent(target);
    } catch (error) {
      throw writeRejection(target, error);
    }
    try {
      await makeOrTakeOver(path);
      const ownership = await own(path, target);
      await empty(path);
      return new Draft(target, path, ownership);
    } catch (error) {
      throw writeRejection(path, error);
    }
  }

  /** Renames the directory to its final name. When this returns, the backup is durable under that name. */
  async publish(): Promise<void> {
    try {
      for (const name of await readdir(this.path)) await sync(join(this.path, name));
      await sync(this.path);
      await rm(join(this.path, UNFINISHED));
      // From here on the backup exists.
      await rename(this.path, this.target);
      this.#isPublished = true;
      await sync(this.target);
      await sync(dirname(this.target));
    } catch (error) {
      throw writeRejection(this.target, error);
    }
    const { lock, owner } = filesIn(this.target);
    for (const file of [lock, owner]) await rm(file, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const signal of SIGNALS) process.off(signal, this.#endBy);
    if (!this.#isPublished) await rm(this.path, { recursive: true, force: true });
    this.#ownership.release();
  }

  /** Removes the directory, which contains private keys, when the command is interrupted, and then lets the signal end the process. */
  #endBy = (signal: NodeJS.Signals): void => {
    try {
      // A copy that is still running may create a file meanwhile.
      if (!this.#isPublished) rmSync(this.path, { recursive: true, force: true, maxRetries: 50, retryDelay: 10 });
    } finally {
      for (const each of SIGNALS) process.off(each, this.#endBy);
      process.kill(process.pid, signal);
    }
  };
}

async function rejectTaken(target: string, directory: string): Promise<void> {
  const stats = lstatSync(target, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (stats.isDirectory() && (await readdir(target)).length === 0) return;
  const message = `${directory} exists already${stats.isDirectory() ? ' and is not empty' : ''}, and was not touched.`;
  throw rejection('backup_exists', message, 'Name a directory that is not there yet: one for each backup.');
}

/** Rejects a missing parent directory instead of creating it: if a disk is not mounted, its directory is missing too. */
function rejectWithoutParent(target: string): void {
  const parent = dirname(target);
  if (lstatSync(parent, { throwIfNoEntry: false }) !== undefined) return;
  const next = `Mount the disk that it should be on, or make the directory: mkdir -p ${parent}`;
  throw rejection('backup_unwritable', `There is no directory ${parent}.`, next);
}

async function makeOrTakeOver(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const stats = await lstat(path);
    rejectForeign(path, stats);
    const names = stats.isDirectory() ? readdirSync(path) : undefined;
    const isOurs = names !== undefined && (names.length === 0 || isUnfinished(path));
    if (!isOurs) {
      const message = `${path} exists already, and is not what an unfinished backup left.`;
      throw rejection('backup_exists', message, 'Move it away, or name another directory for the backup.');
    }
    // Opens this directory itself, not the target of a link that has replaced it.
    await using directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    rejectForeign(path, await directory.stat());
    // The directory will contain private keys.
    await directory.chmod(0o700);
  }
  await using marker = await open(join(path, UNFINISHED), MARKER_FLAGS, 0o600);
  await marker.sync();
}

/** Rejects a directory of another user, who could read what is written into it whatever its mode. */
function rejectForeign(path: string, { uid }: Stats): void {
  if (uid === process.geteuid?.()) return;
  const message = `${path} exists already, and belongs to another user (${uid}), who could read the keys.`;
  throw rejection('backup_exists', message, 'Move it away, or name another directory for the backup.');
}

async function own(path: string, target: string): Promise<Ownership> {
  try {
    return await takeOwnership(filesIn(path));
  } catch (error) {
    if (!(error instanceof DirectoryInUse)) throw error;
    const message = `Another backup to ${target} is being made at this moment.`;
    throw rejection('backup_running', message, 'Wait for it, or name another directory.');
  }
}

async function empty(path: string): Promise<void> {
  const { lock, owner } = filesIn(path);
  const kept = [UNFINISHED, basename(lock), basename(owner)];
  const names = (await readdir(path)).filter((name) => !kept.includes(name));
  await Promise.all(names.map((name) => rm(join(path, name), { recursive: true, force: true })));
}

/** Flushes a file, or the names in a directory, to the disk. */
async function sync(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}
