// The agenda of a simulation.

interface Event {
  readonly at: number;
  readonly act: (now: number) => void;
}

/** What is to happen, in the order of time. A binary heap. */
export class Agenda {
  readonly #heap: Event[] = [];

  add(at: number, act: Event['act']): void {
    const heap = this.#heap;
    let place = heap.push({ at, act }) - 1;
    for (let above = (place - 1) >> 1; place > 0 && heap[above]!.at > heap[place]!.at; above = (place - 1) >> 1) {
      swap(heap, place, above);
      place = above;
    }
  }

  runUntil(endMs: number): void {
    for (let next = this.#take(); next !== undefined && next.at < endMs; next = this.#take()) next.act(next.at);
  }

  #take(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let place = 0; ; ) {
      const left = 2 * place + 1;
      const right = left + 1;
      let least = place;
      if (left < heap.length && heap[left]!.at < heap[least]!.at) least = left;
      if (right < heap.length && heap[right]!.at < heap[least]!.at) least = right;
      if (least === place) return first;
      swap(heap, place, least);
      place = least;
    }
  }
}

function swap(heap: Event[], a: number, b: number): void {
  [heap[a], heap[b]] = [heap[b]!, heap[a]!];
}
