// A model of replicas over one database, as a discrete-event simulation. Only what limits appends is in it: the event loop of a replica, group
// commit, the row lock of the head, the cores of the database, round trips and the wait for the disk. Same inputs, same result.

/** Times in milliseconds. */
export interface Costs {
  /** Event loop of a replica for one append, all of it: reading, verifying, its share of the commit, answering. */
  readonly serveMs: number;
  /** A commit while it holds the lock: what it costs by itself, and for each entry. */
  readonly commitMs: number;
  readonly entryMs: number;
  /** How long a commit waits for those who were answered by the one before. */
  readonly gatherMs: number;
  /** Entries of one commit, at most. */
  readonly maxEntries: number;
}

export interface Setup {
  readonly replicas: number;
  /** Callers in all; each has one append open at any time. */
  readonly callers: number;
  /** Between a replica and the database, there and back. */
  readonly roundTripMs: number;
  /** What a commit waits for beside that: a slower disk, a synchronous standby. */
  readonly syncMs: number;
  /** Ledgers that are apart. A call goes to any of them. */
  readonly logs: number;
  /** Cores of the database server. */
  readonly databaseCores: number;
  readonly seconds: number;
  readonly seed: number;
}

export interface Outcome {
  readonly perSecond: number;
  readonly entriesPerCommit: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Parts of the time that are not counted: it begins with all callers at once. */
const WARM_UP_SHARE = 0.2;
/** A commit takes between 1 - JITTER and 1 + JITTER of its mean. */
const JITTER = 0.3;

/** The appends of one replica for one log, and the commit that it has under way. */
interface Queue {
  readonly replica: number;
  readonly log: number;
  /** When each waiting append was asked for. */
  waiting: number[];
  /** Whether a commit is under way, or waits for more entries. */
  state: 'idle' | 'gathering' | 'committing';
  /** Entries that a gathering commit waits for. */
  wanted: number;
  /** Counts gatherings, so that the end of one does not end the next. */
  gathering: number;
}

interface Commit {
  readonly queue: Queue;
  /** When each of its appends was asked for. */
  readonly entries: readonly number[];
}

/** The row of the head: the commits that wait for it, in order. */
interface Lock {
  isHeld: boolean;
  readonly waiting: Commit[];
}

/** Runs the model. */
export function simulate(costs: Costs, setup: Setup): Outcome {
  const { replicas, callers, roundTripMs, syncMs, logs, databaseCores, seconds, seed } = setup;
  const random = randomFrom(seed);
  const agenda = new Agenda();
  const loopFreeAt = new Array<number>(replicas).fill(0);
  const locks = Array.from({ length: logs }, (): Lock => ({ isHeld: false, waiting: [] }));
  const coreFreeAt = new Array<number>(databaseCores).fill(0);
  const queues = Array.from({ length: replicas * logs }, (_, place): Queue => {
    const [replica, log] = [place % replicas, Math.floor(place / replicas)];
    return { replica, log, waiting: [], state: 'idle', wanted: 0, gathering: 0 };
  });
  const endMs = seconds * 1000;
  const countFromMs = endMs * WARM_UP_SHARE;
  const latencies: number[] = [];
  let commits = 0;

  /** A caller of this replica asks for an append. */
  function ask(replica: number, now: number): void {
    const served = Math.max(now, loopFreeAt[replica]!) + costs.serveMs;
    loopFreeAt[replica] = served;
    const queue = queues[Math.floor(random() * logs) * replicas + replica]!;
    agenda.add(served, () => {
      queue.waiting.push(now);
      if (queue.state === 'idle') commit(queue, served);
      else if (queue.state === 'gathering' && queue.waiting.length >= queue.wanted) commit(queue, served);
    });
  }

  function commit(queue: Queue, now: number): void {
    queue.state = 'committing';
    const begun = { queue, entries: queue.waiting.splice(0, costs.maxEntries) };
    const lock = locks[queue.log]!;
    agenda.add(now + roundTripMs / 2, (arrived) => {
      if (lock.isHeld) lock.waiting.push(begun);
      else hold(lock, begun, arrived);
    });
  }

  function hold(lock: Lock, held: Commit, now: number): void {
    lock.isHeld = true;
    const core = earliest(coreFreeAt);
    const workMs = (costs.commitMs + costs.entryMs * held.entries.length) * (1 - JITTER + 2 * JITTER * random());
    const worked = Math.max(now, coreFreeAt[core]!) + workMs;
    coreFreeAt[core] = worked;
    // The lock is held for the second round trip and until the commit is on the disk.
    agenda.add(worked + roundTripMs + syncMs, (durable) => {
      agenda.add(durable + roundTripMs / 2, (answered) => finish(held, answered));
      lock.isHeld = false;
      const next = lock.waiting.shift();
      if (next !== undefined) hold(lock, next, durable);
    });
  }

  function finish({ queue, entries }: Commit, now: number): void {
    if (now >= countFromMs && now < endMs) {
      commits++;
      for (const asked of entries) latencies.push(now - asked);
    }
    for (const _ of entries) ask(queue.replica, now);
    if (entries.length > 1) gather(queue, entries.length, now);
    else if (queue.waiting.length > 0) commit(queue, now);
    else queue.state = 'idle';
  }

  function gather(queue: Queue, before: number, now: number): void {
    queue.state = 'gathering';
    queue.wanted = Math.min(before + queue.waiting.length, costs.maxEntries);
    const gathering = ++queue.gathering;
    if (queue.waiting.length >= queue.wanted) {
      commit(queue, now);
      return;
    }
    agenda.add(now + costs.gatherMs, (late) => {
      if (queue.state !== 'gathering' || queue.gathering !== gathering) return;
      if (queue.waiting.length > 0) commit(queue, late);
      else queue.state = 'idle';
    });
  }

  for (let caller = 0; caller < callers; caller++) ask(caller % replicas, 0);
  agenda.runUntil(endMs);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(share * (latencies.length - 1))] ?? Number.NaN;
  return {
    perSecond: (latencies.length * 1000) / (endMs - countFromMs),
    entriesPerCommit: latencies.length / commits,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

function earliest(times: readonly number[]): number {
  return times.reduce((best, time, place) => (time < times[best]! ? place : best), 0);
}

interface Event {
  readonly at: number;
  readonly act: (now: number) => void;
}

/** What is to happen, in the order of time. A binary heap. */
class Agenda {
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

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
