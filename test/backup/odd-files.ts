// Paths that hold what a backup does not expect.

import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Names, modes and contents of a directory. */
export function contentsOf(directory: string): readonly string[] {
  return readdirSync(directory)
    .sort()
    .map((name) => {
      const path = join(directory, name);
      const stats = lstatSync(path);
      return `${name} ${stats.mode} ${stats.isFile() ? readFileSync(path, 'base64') : ''}`;
    });
}

/** What a directory has beside the data directory and its copies. */
export function isNothingAt(directory: string): boolean {
  return !existsSync(directory) && !existsSync(`${directory}.new`);
}
