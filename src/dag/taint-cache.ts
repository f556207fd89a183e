// Caches the taints of recorded tasks for one set of marks. The ancestry of a recorded task never changes, so the results are valid until
// there is another mark. One byte for each examined entry.

import type { TaskName } from './task.ts';

/** The source of a taint: a task of the graph, or a missing predecessor with a mark. */
export interface Origin {
  readonly task: TaskName;
  readonly kid: string;
  readonly entry: number;
}

/** `too large`: there are more ancestors than may be searched. */
export type Finding = 'clean' | 'too large' | Origin;

const CHUNK_ENTRIES = 4_096;
/** The number of cached chunks: 16 MiB, for as many entries. Beyond that the cache is emptied. */
const MAX_CHUNKS = 4_096;
/** The number of cached tainted entries. Others are found again. */
const MAX_ORIGINS = 200_000;

const CLEAN = 1;
const TOO_LARGE = 2;

export class TaintCache {
  readonly #chunks = new Map<number, Uint8Array>();
  readonly #origins = new Map<number, Origin>();

  /** The cached result for an entry; undefined if it is not cached, or not recorded. */
  get(entry: number | undefined): Finding | undefined {
    if (entry === undefined) return undefined;
    switch (this.#chunks.get(Math.floor(entry / CHUNK_ENTRIES))?.[entry % CHUNK_ENTRIES]) {
      case CLEAN:
        return 'clean';
      case TOO_LARGE:
        return 'too large';
      default:
        return this.#origins.get(entry);
    }
  }

  set(entry: number | undefined, finding: Finding): void {
    if (entry === undefined) return;
    if (typeof finding === 'object') {
      if (this.#origins.size < MAX_ORIGINS) this.#origins.set(entry, finding);
    } else {
      this.#chunkOf(entry)[entry % CHUNK_ENTRIES] = finding === 'clean' ? CLEAN : TOO_LARGE;
    }
  }

  #chunkOf(entry: number): Uint8Array {
    const number = Math.floor(entry / CHUNK_ENTRIES);
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      if (this.#chunks.size >= MAX_CHUNKS) this.#chunks.clear();
      chunk = new Uint8Array(CHUNK_ENTRIES);
      this.#chunks.set(number, chunk);
    }
    return chunk;
  }
}
