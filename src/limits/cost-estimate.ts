// How long calls compute for each unit of their cost, learned from the last turns of the event loop. It differs by machine, and by what
// callers ask for: with recording, a call computes three times as much as without.

/** The estimate stays between these, so that calls which understate their cost cannot push it far, in milliseconds. */
const LEAST_MS = 0.02;
const MOST_MS = 0.2;
/** Taken while nothing is known; it counts as one unit of cost afterwards. */
const FIRST_MS = 0.1;
/** What a turn keeps of the sums of those before it. */
const KEPT = 7 / 8;

export class CostEstimate {
  #sumMs = 0;
  #sumCost = 0;
  #msPerCost = FIRST_MS;

  /** A turn has begun calls of this cost and has taken so long, with what calls of earlier turns computed in it. */
  learn(cost: number, spentMs: number): void {
    this.#sumMs = this.#sumMs * KEPT + spentMs;
    this.#sumCost = this.#sumCost * KEPT + cost;
    const msPerCost = (this.#sumMs + FIRST_MS) / (this.#sumCost + 1);
    this.#msPerCost = Math.min(Math.max(msPerCost, LEAST_MS), MOST_MS);
  }

  /** The cost of calls that compute for so long. */
  costOf(ms: number): number {
    return ms / this.#msPerCost;
  }

  /** What calls of this cost are expected to compute, in milliseconds. */
  ms(cost: number): number {
    return cost * this.#msPerCost;
  }
}
