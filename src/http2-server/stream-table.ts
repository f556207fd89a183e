// The streams of a connection: the open ones, and what must be known about closed ones.

import type { Stream } from './stream.ts';

/** How many reset streams are remembered, because the peer may send frames before it receives the reset. */
const REMEMBERED_RESETS = 256;

export class StreamTable {
  readonly #open = new Map<number, Stream>();
  readonly #reset = new Set<number>();
  #lastId = 0;
  #lastServedId = 0;

  get size(): number {
    return this.#open.size;
  }

  /** The last stream that is served. After GOAWAY later ones are not. */
  get lastServedId(): number {
    return this.#lastServedId;
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  all(): readonly Stream[] {
    return Array.from(this.#open.values());
  }

  /** Records a stream id of the peer. Returns whether it is new: ids only increase. */
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

  /** Whether no request has used this id yet. */
  isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#lastId;
  }

  /** Remembers for a while that this stream was reset. */
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
