// Schedules the parsing of received bytes and other work that peers cause. Each turn of the event loop gives it a few milliseconds; the
// rest waits in a fair queue, so that a peer that floods the service does not delay others.

import { OwnContext } from '../concurrency/own-context.ts';
import { FairQueue, type Flow } from './fair-queue.ts';
import type { Place } from './networks.ts';
import { Turn } from './turn.ts';

/** The time in each turn of the event loop, in milliseconds: more than calls get, because excess that is read late is rejected late. */
const TURN_MS = 4;
/** The part of it for long bodies. Reading them sooner rejects no call sooner, and a flood of them would lengthen each turn. */
export const BODY_TURN_MS = 1;
/** The time for decryption: twice as much, because what is decrypted is often parsed within it. */
export const RECORD_TURN_MS = 8;
/** The time that one connection gets before others are served. */
const SLICE_MS = 1;
/** The credit of a flow that was idle, in milliseconds. */
const CREDIT_MS = 5;
/**
 * The weight of a new measurement in the average cost of a piece, and its upper bound, because garbage collection caused by others may be
 * part of it.
 */
const LEARNT_SHARE = 0.25;
const MOST_LEARNT_MS = 4;

/** The flow of one connection, and the recent average cost of a piece of its work, in milliseconds. */
export class ReadFlow implements Flow {
  virtualFinish: number;
  pieceMs = SLICE_MS;
  readonly place: Place | undefined;

  /** `place`: the connection shares with others of its network that have bytes to parse; without it the flow has its own share. */
  constructor(place?: Place) {
    this.place = place;
    this.virtualFinish = place?.finish ?? 0;
  }

  /** Records `ms` of work, which was charged `sharers` times. */
  served(ms: number, sharers: number): void {
    this.place?.served(this.virtualFinish - ms * sharers, ms);
  }

  /** How many flows divide one share. */
  get sharers(): number {
    return this.place?.sharers ?? 1;
  }
}

interface Piece {
  readonly flow: ReadFlow;
  readonly expectedMs: number;
  /** The charge is multiplied by the number of flows that divide the share. */
  readonly sharers: number;
  readonly run: () => void;
  /** The async context of the caller of `defer`. */
  readonly context: OwnContext;
}

export class ReadScheduler {
  readonly #turnMs: number;
  readonly #now: () => number;
  readonly #queue = new FairQueue<Piece>(CREDIT_MS);
  readonly #turn: Turn;
  #sliceBegan = 0;
  /** The expected time of work that the slice has started and that runs after it. */
  #deferredMs = 0;
  #isRunning = false;

  constructor(now: () => number = () => performance.now(), turnMs = TURN_MS) {
    this.#turnMs = turnMs;
    this.#now = now;
    this.#turn = new Turn(() => this.#runNext(), now);
  }

  /** Whether a slice may start now. While others wait, new work waits too. */
  begin(): boolean {
    if (!this.#isRunning && this.#queue.size > 0) return false;
    const hasTime = this.#turn.spentMs() <= this.#turnMs;
    this.#beginSlice();
    return hasTime;
  }

  /** Whether the current slice may continue. */
  get mayContinue(): boolean {
    return this.#now() - this.#sliceBegan + this.#deferredMs <= SLICE_MS && this.#turn.spentMs() <= this.#turnMs;
  }

  /** Adds the expected time of work that the slice has started and that runs after it. */
  addDeferredCost(ms: number): void {
    this.#deferredMs += ms;
  }

  /** Ends the slice and charges its flow for the time. */
  end(flow: ReadFlow): void {
    const [ms, { sharers }] = [this.#now() - this.#sliceBegan, flow];
    this.#queue.charge(flow, ms * sharers);
    flow.served(ms, sharers);
  }

  /** Runs a function in a later turn, in the async context of the call of this method. */
  defer(flow: ReadFlow, run: () => void): void {
    // The cost is not known yet. Among flows that have waited equally long, the one with cheap pieces is next.
    const { pieceMs: expectedMs, place } = flow;
    place?.enter();
    const { sharers } = flow;
    this.#queue.push(flow, expectedMs * sharers, { flow, expectedMs, sharers, run, context: new OwnContext() });
    this.#turn.spentMs();
  }

  /** Runs work now if there is time, or else in a later turn. */
  run(flow: ReadFlow, work: () => void): void {
    // Work within a piece is part of the piece and is charged with it.
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
    this.#deferredMs = 0;
    this.#sliceBegan = this.#now();
    return this.#sliceBegan;
  }

  /** Runs waiting work while there is time. A piece ends when the callbacks of the promises that it resolved have run. */
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

/** A flow and the scheduler that serves it. */
export interface ReadLane {
  readonly reads: ReadScheduler;
  readonly flow: ReadFlow;
}

/** How the requests and the bodies of a connection of Node's servers are read. */
export interface ReadLanes {
  readonly requests: ReadLane;
  readonly bodies: ReadLane;
}

/** `process.nextTick` callbacks that are queued from a microtask run after all microtasks. */
function afterMicrotasks(then: () => void): void {
  queueMicrotask(() => process.nextTick(then));
}
