// What was found about the taints of recorded tasks under one set of marks. The past of a recorded task never changes, so
// what was found holds until something else is marked. A byte for each entry that was looked at.

import type { TaskName } from './task.ts';

/** Where a taint begins: at a task of the graph, or at a predecessor that was not found but is marked. */
export interface Origin {
  readonly task: TaskName;
  readonly kid: string;
  readonly entry: number;
}

/** `too large`: the past has more tasks than anybody may look through. */
export type Finding = 'clean' | 'too large' | Origin;

const CHUNK_ENTRIES = 4_096;
/** Chunks that are kept: 16 MiB, for as many entries. Over that everything is forgotten, and found again. */
const MAX_CHUNKS = 4_096;
/** Tainted entries that are remembered. What does not go in is found again. */
const MAX_ORIGINS = 200_000;

const CLEAN = 1;
const TOO_LARGE = 2;

export class TaintCache {
  readonly #chunks = new Map<number, Uint8Array>();
  readonly #origins = new Map<number, Origin>();

  /** What is known of an entry of the ledger; undefined where it is to be looked at, and for what is not recorded. */
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
