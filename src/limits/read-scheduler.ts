// When bytes that a connection brought are parsed, and when other work that peers cause at will is done. One turn of the event
// loop gives a few milliseconds to it; what is left waits in a fair queue, so that who floods the service does not delay others.

import { OwnContext } from '../concurrency/own-context.ts';
import { FairQueue, type Flow } from './fair-queue.ts';
import type { Place } from './networks.ts';
import { Turn } from './turn.ts';

/** What one turn of the event loop gives, in milliseconds: more than calls get, since excess that is read late is rejected late. */
const TURN_MS = 4;
/** The share of long bodies. Reading them sooner does not reject calls sooner, and a flood of them would lengthen each turn. */
export const BODY_TURN_MS = 1;
/** What one connection takes of it before the others are asked. */
const SLICE_MS = 1;
/** What a flow that has been quiet gets before the others, in milliseconds. */
const CREDIT_MS = 5;
/** How fast it is learnt what a piece of a flow costs; and the most that one piece teaches, since it may be the garbage of others. */
const LEARNT_SHARE = 0.25;
const MOST_LEARNT_MS = 4;

/** Whose bytes, and what a piece of its work has cost of late, in milliseconds. */
export class ReadFlow implements Flow {
  virtualFinish: number;
  pieceMs = SLICE_MS;
  readonly place: Place | undefined;

  /** `place`: of a connection among those of its network that have something to be parsed; without it the flow has a share of its own. */
  constructor(place?: Place) {
    this.place = place;
    this.virtualFinish = place?.finish ?? 0;
  }

  /** It was charged for so many milliseconds, each as often as this. */
  served(ms: number, sharers: number): void {
    this.place?.served(this.virtualFinish - ms * sharers, ms);
  }

  /** The flows that divide one share. */
  get sharers(): number {
    return this.place?.sharers ?? 1;
  }
}

interface Piece {
  readonly flow: ReadFlow;
  readonly expectedMs: number;
  /** Each millisecond is paid for as often as there are flows in its share. */
  readonly sharers: number;
  readonly run: () => void;
  /** The async context in which it was put here. */
  readonly context: OwnContext;
}

export class ReadScheduler {
  readonly #turnMs: number;
  readonly #now: () => number;
  readonly #queue = new FairQueue<Piece>(CREDIT_MS);
  readonly #turn: Turn;
  #sliceBegan = 0;
  /** What the slice has begun that computes when it is over. */
  #foreseenMs = 0;
  #isRunning = false;

  constructor(now: () => number = () => performance.now(), turnMs = TURN_MS) {
    this.#turnMs = turnMs;
    this.#now = now;
    this.#turn = new Turn(() => this.#runNext(), now);
  }

  /** Whether a slice may begin now. While others wait, new work waits too. */
  begin(): boolean {
    if (!this.#isRunning && this.#queue.size > 0) return false;
    const hasTime = this.#turn.spentMs() <= this.#turnMs;
    this.#beginSlice();
    return hasTime;
  }

  /** Whether the slice that has begun may go on. */
  get goesOn(): boolean {
    return this.#now() - this.#sliceBegan + this.#foreseenMs <= SLICE_MS && this.#turn.spentMs() <= this.#turnMs;
  }

  /** The slice has begun something that will compute for about so long when it is over. */
  foresee(ms: number): void {
    this.#foreseenMs += ms;
  }

  /** The slice is over: its flow pays for the time. */
  end(flow: ReadFlow): void {
    const [ms, { sharers }] = [this.#now() - this.#sliceBegan, flow];
    this.#queue.charge(flow, ms * sharers);
    flow.served(ms, sharers);
  }

  /** Runs a function in a later turn, in the async context of the call of this method. */
  defer(flow: ReadFlow, run: () => void): void {
    // What it will take is not known yet. Of flows that have waited equally long, that whose pieces are small is next.
    const { pieceMs: expectedMs, place } = flow;
    place?.enter();
    const { sharers } = flow;
    this.#queue.push(flow, expectedMs * sharers, { flow, expectedMs, sharers, run, context: new OwnContext() });
    this.#turn.spentMs();
  }

  /** Runs something now if there is time, or else in a later turn. */
  run(flow: ReadFlow, work: () => void): void {
    // Inside of a piece it is part of that, and is paid with it.
    if (this.#isRunning) {
      work();
      return;
    }
    if (!this.begin()) {
      this.defer(flow, work);
      return;
    }
    work();
    this.end(flow);
  }

  #beginSlice(): number {
    this.#foreseenMs = 0;
    this.#sliceBegan = this.#now();
    return this.#sliceBegan;
  }

  /** Runs what waits as long as there is time. A piece is over when the promises that it has settled have had their effects. */
  #runNext(): void {
    if (this.#queue.size === 0) return;
    if (this.#turn.spentMs() > this.#turnMs) return;
    const { flow, expectedMs, sharers, run, context } = this.#queue.pop()!;
    flow.place?.leave();
    const began = this.#beginSlice();
    this.#isRunning = true;
    context.runInAsyncScope(run);
    this.#isRunning = false;
    afterMicrotasks(() => {
      const tookMs = this.#now() - began;
      this.#queue.charge(flow, (tookMs - expectedMs) * sharers);
      flow.served(tookMs, sharers);
      flow.pieceMs += LEARNT_SHARE * (Math.min(tookMs, MOST_LEARNT_MS) - flow.pieceMs);
      this.#runNext();
    });
  }
}

/** One flow in one order of reading. */
export interface ReadLane {
  readonly reads: ReadScheduler;
  readonly flow: ReadFlow;
}

/** What a connection of Node's servers is read by: requests, and bodies. */
export interface ReadLanes {
  readonly requests: ReadLane;
  readonly bodies: ReadLane;
}

/** Ticks run when no microtask is left. */
function afterMicrotasks(then: () => void): void {
  queueMicrotask(() => process.nextTick(then));
}
