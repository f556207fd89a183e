// The streams of a connection: the open ones, and what must be known about closed ones.

import type { Stream } from './stream.ts';

/** How many reset streams are remembered, because the peer may send frames before it receives the reset. */
const REMEMBERED_RESETS = 256;

export class StreamTable {
  /**
   * By id, since ids only increase. Not a map: with each stream that comes and goes V8 makes a new table of a map sooner or later, and an
   * old table keeps what was in it until the old generation of the heap is collected.
   */
  readonly #open: Stream[] = [];
  readonly #reset = new Set<number>();
  #lastId = 0;
  #lastServedId = 0;

  get size(): number {
    return this.#open.length;
  }

  /** The last stream that is served. After GOAWAY later ones are not. */
  get lastServedId(): number {
    return this.#lastServedId;
  }

  get(id: number): Stream | undefined {
    const stream = this.#open[this.#placeOf(id)];
    return stream?.id === id ? stream : undefined;
  }

  all(): readonly Stream[] {
    return Array.from(this.#open);
  }

  /** Records a stream id of the peer. Returns whether it is new: ids only increase. */
  claim(id: number): boolean {
    if (id <= this.#lastId) return false;
    this.#lastId = id;
    return true;
  }

  add(stream: Stream): void {
    this.#lastServedId = stream.id;
    this.#open.push(stream);
  }

  remove({ id }: Stream): void {
    const place = this.#placeOf(id);
    if (this.#open[place]?.id !== id) return;
    this.#open.copyWithin(place, place + 1);
    this.#open.pop();
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

  /** The place of the first open stream whose id is not less. */
  #placeOf(id: number): number {
    let low = 0;
    let high = this.#open.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#open[middle]!.id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
