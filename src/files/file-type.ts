// What is at a path instead of a file. To open a FIFO can wait forever, a device may never end, and advice about modes
// does not help with a directory.

import { lstatSync, readlinkSync, type Stats, statSync } from 'node:fs';

/** The `code` of an error for a path at which something else than a file is. */
export const NOT_A_FILE = 'ENOTFILE';

/**
 * What counts as a file. `file or pipe`: its bytes may come once, from a pipe that is open already, as `<(…)` makes one. A FIFO by
 * its name may have no writer, and would be waited for.
 */
export type FileType = 'file' | 'file or pipe';

/** Throws an error with the code NOT_A_FILE where something else is at the path, and with ENOENT for a link to nothing. */
export function demandFile(path: string, type: FileType = 'file'): void {
  const stats = statsAt(path);
  if (stats === undefined && linkToNothing(path) !== undefined) throw Object.assign(new Error(), { code: 'ENOENT' });
  if (stats !== undefined && !isFile(path, stats, type)) throw Object.assign(new Error(), { code: NOT_A_FILE });
}

/** `/data/once.db is a directory, not a file`; undefined where a file is there, or nothing. */
export function fileTypeFault(path: string): string | undefined {
  const stats = statsAt(path);
  if (stats === undefined) return linkToNothing(path);
  return stats.isFile() ? undefined : `${path} is ${nameOf(stats)}, not a file`;
}

/** The same for a path that must be a directory. */
export function directoryTypeFault(path: string): string | undefined {
  const stats = statsAt(path);
  if (stats === undefined) return linkToNothing(path);
  return stats.isDirectory() ? undefined : `${path} is ${nameOf(stats)}, not a directory`;
}

export function isFile(path: string, stats: Stats, type: FileType): boolean {
  return stats.isFile() || (type === 'file or pipe' && stats.isFIFO() && OPEN_PIPE.test(path));
}

const OPEN_PIPE = /^\/(?:dev\/stdin|dev\/fd\/\d+|proc\/(?:self|\d+)\/fd\/\d+)$/;

/** `/data/once.db is a symbolic link to /old/once.db, where nothing is`; undefined where the path is no such link. */
export function linkToNothing(path: string): string | undefined {
  try {
    if (!lstatSync(path).isSymbolicLink() || statsAt(path) !== undefined) return undefined;
    return `${path} is a symbolic link to ${readlinkSync(path)}, where nothing is`;
  } catch {
    return undefined;
  }
}

function nameOf(stats: Stats): string {
  if (stats.isFile()) return 'a file';
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}

/** Undefined if the file cannot be examined: opening the path then gives the error. */
function statsAt(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
