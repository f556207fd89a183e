// The streams of a connection: those that are open, and what must be known of those that are not.

import type { Stream } from './stream.ts';

/** What the peer has sent before it knew of our reset is not its fault. */
const REMEMBERED_RESETS = 256;

export class StreamTable {
  readonly #open = new Map<number, Stream>();
  readonly #reset = new Set<number>();
  #lastId = 0;
  #lastServedId = 0;

  get size(): number {
    return this.#open.size;
  }

  /** The latest stream that is served. After GOAWAY later ones are not. */
  get lastServedId(): number {
    return this.#lastServedId;
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  all(): readonly Stream[] {
    return Array.from(this.#open.values());
  }

  /** Notes that the peer has used this number. Returns whether it is a new one: numbers only grow. */
  claim(id: number): boolean {
    if (id <= this.#lastId) return false;
    this.#lastId = id;
    return true;
  }

  add(stream: Stream): void {
    this.#lastServedId = stream.id;
    this.#open.set(stream.id, stream);
  }

  remove({ id }: Stream): void {
    this.#open.delete(id);
  }

  /** Whether no request has had this number yet. */
  isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#lastId;
  }

  /** Remembers for a while that we have reset this stream. */
  rememberReset(id: number): void {
    this.#reset.add(id);
    if (this.#reset.size <= REMEMBERED_RESETS) return;
    const [oldest] = this.#reset;
    this.#reset.delete(oldest!);
  }

  wasReset(id: number): boolean {
    return this.#reset.has(id);
  }
}
