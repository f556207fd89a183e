// Explains errors of the file system with the right next step: missing and forbidden files are distinguished, with the path, the
// user, and what to change.

import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { MAX_SMALL_BYTES, TOO_LARGE } from './bounded-read.ts';
import { fileTypeFault, linkToNothing, NOT_A_FILE } from './file-type.ts';

/** What was to be done with a file. */
export type FileUse = 'read' | 'written';

/**
 * Why a file could not be used: a clause without a full stop, which names the path that is to blame. `error` is what
 * the system threw, or anything with its `code`; unknown codes are returned as they are.
 */
export function fileFault(path: string, error: unknown, use: FileUse = 'read'): string {
  const code = codeOf(error);
  switch (code) {
    case 'ENOENT':
      return linkToNothing(path) ?? missing(path, use);
    case 'EACCES':
    case 'EPERM':
      return forbidden(path, use);
    case 'EISDIR':
      return `${path} is a directory, not a file`;
    case 'ENXIO':
    case NOT_A_FILE:
      return fileTypeFault(path) ?? `${path} is not a file`;
    case TOO_LARGE:
      return `${path} is larger than ${MAX_SMALL_BYTES / 1024 / 1024} MiB`;
    case 'ENOTDIR':
      return `a part of ${path} is a file where a directory is needed`;
    case 'EEXIST':
      return `${path} exists already`;
    case 'EROFS':
      return `${path} is on a file system that is mounted read-only`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `there is no space left for ${path}`;
    case 'ELOOP':
      return `${path} leads through symbolic links in a circle`;
    case 'EMFILE':
    case 'ENFILE':
      return `${path} cannot be ${use}, since too many files are open (${code})`;
    default:
      return code === undefined ? `${path} cannot be ${use}` : `${path} cannot be ${use} (${code})`;
  }
}

/**
 * The same for a place that the service writes, as sentences: why it cannot, and what to do. `otherwise`: that, where the
 * error does not say it.
 */
export function writeFault(path: string, error: unknown, otherwise?: string): string {
  const step = remedyFor(path, codeOf(error)) ?? otherwise;
  return `${fileFault(path, error, 'written')}.${step === undefined ? '' : ` ${step}`}`;
}

/**
 * Why this process cannot use `path`, a file or directory of its own, as `writeFault` says it; undefined where it can, and
 * where nothing is there. A file of another user is rejected even where the group may write it: its mode could not be changed.
 */
export function ownershipFault(path: string): string | undefined {
  try {
    const { uid } = statSync(path);
    const isDirectory = isDirectoryAt(path);
    accessSync(path, constants.R_OK | constants.W_OK | (isDirectory ? constants.X_OK : 0));
    if (isDirectory || isMine(uid) || processUser() === 0) return undefined;
    return `${named(path)} must belong to ${whoAmI()}, who runs the service. ${chownStep(path)}.`;
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? undefined : writeFault(path, error);
  }
}

function remedyFor(path: string, code: string | undefined): string | undefined {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return remedyForDenial(path);
    case 'EROFS':
      return 'Mount a volume there.';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Free some space.';
    default:
      return undefined;
  }
}

/** Undefined: a directory above is closed, which is not the service's to have. */
function remedyForDenial(path: string): string | undefined {
  if (closedAbove(path) !== undefined) return undefined;
  const place = nearest(path);
  const { uid } = statSync(place);
  if (isMine(uid)) return `Run chmod u+rwX on ${place}.`;
  if (uid !== 0 || !isDirectoryAt(place)) return `${chownStep(path)}.`;
  const [user, group] = [processUser(), process.getegid?.() ?? 0];
  return (
    `${chownStep(path)}; in Kubernetes, give the volume to the group of the pod:\n` +
    `  securityContext:\n    runAsUser: ${user}\n    fsGroup: ${group}`
  );
}

/** What is not there is made first. That what is there above it belongs to another user is right, most often. */
function chownStep(path: string): string {
  const owner = `${processUser()}:${process.getegid?.() ?? 0}`;
  return nearest(path) === path ? `Run chown -R ${owner} ${path}` : `Run mkdir -p ${path} and chown ${owner} ${path}`;
}

/** The first part of the path that is not there: a file, or already a directory above it. */
function missing(path: string, use: FileUse): string {
  const above = ancestorsOf(resolve(path)).findLast((directory) => !isThere(directory));
  if (above === undefined) return `there is no file ${path}`;
  return use === 'read'
    ? `there is no file ${path}, and no directory ${above}`
    : `${path} cannot be made, since there is no directory ${above}`;
}

/** What this user may not do: enter a directory above, make a file, or use the file that is there. */
function forbidden(path: string, use: FileUse): string {
  const closed = closedAbove(path);
  if (closed !== undefined) return `${whoAmI()} may not enter ${named(closed)}, which ${path} lies below`;
  if (use === 'read') return `${whoAmI()} may not read ${named(path)}`;
  return isThere(path)
    ? `${whoAmI()} may not write ${named(path)}`
    : `${whoAmI()} may not make ${path} in ${named(nearest(path))}`;
}

/** The topmost directory above a path that this user may not enter. */
function closedAbove(path: string): string | undefined {
  return ancestorsOf(resolve(path)).findLast((directory) => isThere(directory) && !mayEnter(directory));
}

/** The path, or what is there of the way to it. */
function nearest(path: string): string {
  return isThere(path) ? path : (ancestorsOf(resolve(path)).find(isThere) ?? '/');
}

/** Directories above a path, nearest first. */
function ancestorsOf(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [] : [above, ...ancestorsOf(above)];
}

function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ENOENT';
  }
}

function mayEnter(directory: string): boolean {
  try {
    accessSync(directory, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A path with what decides who may use it. */
function named(path: string): string {
  try {
    const { uid, mode } = statSync(path);
    return `${path} (owner: user ${uid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`;
  } catch {
    return path;
  }
}

function whoAmI(): string {
  return process.geteuid === undefined ? 'this user' : `user ${process.geteuid()}`;
}

function processUser(): number {
  return process.geteuid?.() ?? 0;
}

function isMine(uid: number): boolean {
  return uid === processUser();
}

function isDirectoryAt(path: string): boolean {
  return statSync(path).isDirectory();
}

function codeOf(error: unknown): string | undefined {
  const isCoded = typeof error === 'object' && error !== null && 'code' in error;
  return isCoded && typeof error.code === 'string' ? error.code : undefined;
}
