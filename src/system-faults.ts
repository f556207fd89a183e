// What an error of the operating system means, in a sentence that leads to the right next step: what is missing is told
// apart from what is forbidden, by which path and for which user.

import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** What was to be done with a file. */
export type FileUse = 'read' | 'written';

/**
 * Why a file could not be used: a clause without a full stop, which names the path that is to blame. `error` is what
 * the system threw; the code is told where nothing better is known.
 */
export function fileFault(path: string, error: unknown, use: FileUse = 'read'): string {
  const code = codeOf(error);
  switch (code) {
    case 'ENOENT':
      return missing(path, use);
    case 'EACCES':
    case 'EPERM':
      return forbidden(path, use);
    case 'EISDIR':
      return `${path} is a directory, not a file`;
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

/** Why nothing can listen on an address, and what to do about it. Undefined: the error is not one of the system. */
export function listenFault(host: string, port: number, error: unknown): string | undefined {
  const code = codeOf(error);
  if (code === undefined) return undefined;
  return `Cannot listen on ${host}:${port} (${code}): ${listenRemedy(code, host)}.`;
}

function listenRemedy(code: string, host: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another process uses it; stop that, or set ECT_LISTEN to another port';
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this machine; set ECT_LISTEN to one that is, or to 0.0.0.0 for all of them`;
    case 'EACCES':
      return `${whoAmI()} may not use this port; set ECT_LISTEN to a port from 1024 on, or grant CAP_NET_BIND_SERVICE`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} cannot be resolved; set ECT_LISTEN to an address`;
    case 'EAFNOSUPPORT':
    case 'EINVAL':
      return `this machine has no network of the kind of ${host}; set ECT_LISTEN to another address`;
    default:
      return 'set ECT_LISTEN to another address or port';
  }
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
  const closed = ancestorsOf(resolve(path)).findLast((directory) => isThere(directory) && !mayEnter(directory));
  if (closed !== undefined) return `${whoAmI()} may not enter ${named(closed)}, which ${path} lies below`;
  if (use === 'read') return `${whoAmI()} may not read ${named(path)}`;
  return isThere(path)
    ? `${whoAmI()} may not write ${named(path)}`
    : `${whoAmI()} may not make ${path} in ${named(dirname(resolve(path)))}`;
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
    return `${path} (owner: user ${uid}, mode ${(mode & 0o777).toString(8).padStart(4, '0')})`;
  } catch {
    return path;
  }
}

function whoAmI(): string {
  return process.getuid === undefined ? 'this user' : `user ${process.getuid()}`;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
