// Gives hints that files may have changed. A hint proves nothing, and neither does its absence: network file systems give none, a watch
// may fail for lack of a resource, and the watch of a replaced directory stays silent.

import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { watchedPlaces } from './directories.ts';

interface Watch {
  /** The device and inode of the directory. Another directory may replace it under the same name. */
  readonly identity: string;
  readonly watcher: FSWatcher;
}

export class DirectoryWatcher {
  readonly #paths: readonly string[];
  readonly #onHint: () => void;
  readonly #watches = new Map<string, Watch>();
  #names: ReadonlySet<string> = new Set();
  #isClosed = false;

  constructor(paths: readonly string[], onHint: () => void) {
    this.#paths = paths;
    this.#onHint = onHint;
  }

  /** Watches the current directories. Must be called again after every change, and at intervals. */
  async refresh(): Promise<void> {
    const places = await Promise.all(this.#paths.map(watchedPlaces));
    const wanted = new Map<string, string>();
    for (const directory of places.flatMap(({ directories }) => [...directories])) {
      const identity = await identityOf(directory);
      if (identity !== undefined) wanted.set(directory, identity);
    }
    for (const [directory, { identity }] of this.#watches) {
      if (wanted.get(directory) !== identity) this.#end(directory);
    }
    if (this.#isClosed) return;
    this.#names = new Set(places.flatMap(({ names }) => [...names]));
    for (const [directory, identity] of wanted) if (!this.#watches.has(directory)) this.#begin(directory, identity);
  }

  close(): void {
    this.#isClosed = true;
    for (const directory of this.#watches.keys()) this.#end(directory);
  }

  #begin(directory: string, identity: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, (_, name) => {
        // A database or event file beside the watched file may change many times a second.
        if (name === null || this.#names.has(name)) this.#onHint();
      });
      // Without this watch the files are still checked at intervals.
      watcher.on('error', () => this.#end(directory));
      this.#watches.set(directory, { identity, watcher });
    } catch {
      // The limit of watches is reached, or the directory is not readable.
    }
  }

  #end(directory: string): void {
    this.#watches.get(directory)?.watcher.close();
    this.#watches.delete(directory);
  }
}

async function identityOf(directory: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(directory);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
