// Rounds: every side in turn, in an order that rotates and turns, so that a slow minute of the machine hits all of them alike.

import type { Figure, Round, Side } from './report.ts';
import { median } from './statistics.ts';

/** Something that can be measured for a while. */
export interface Contender {
  readonly name: string;
  /** Measures one round of about so many seconds. */
  run(seconds: number): Promise<Round>;
}

export interface RoundPlan {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** Warms every contender up, then measures them in interleaved rounds. */
export async function interleave(contenders: readonly Contender[], plan: RoundPlan): Promise<Side[]> {
  for (const contender of contenders) {
    // The first run finds out how fast it is, so that the second can be as long as it should.
    await contender.run(0);
    await contender.run(plan.warmUpSeconds);
  }
  const measured = contenders.map((): Round[] => []);
  for (let round = 0; round < plan.rounds; round++) {
    for (const place of orderOf(contenders.length, round)) {
      measured[place]?.push(await contenders[place]!.run(plan.seconds));
    }
  }
  return contenders.map(({ name }, place) => ({ name, rounds: measured[place] ?? [] }));
}

/** 0 to count - 1, beginning one later in every round, and backwards in every second pair of rounds: what a side leaves behind hits others too. */
export function orderOf(count: number, round: number): number[] {
  const order = Array.from({ length: count }, (_, step) => (step + round) % count);
  return round % 4 < 2 ? order : order.reverse();
}

/** Medians over the rounds of one side. */
export interface SideMedians {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssBytes: number;
}

export function mediansOf({ rounds }: Side): SideMedians {
  return {
    perSecond: median(rounds.map(({ units, seconds }) => units / seconds)),
    perCpuSecond: median(rounds.map(perCpuSecond)),
    p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(rounds.map(({ p99Ms }) => p99Ms)),
    rssBytes: median(rounds.map(({ rssBytes }) => rssBytes)),
  };
}

export function perCpuSecond({ units, cpuSeconds }: Round): number {
  return units / cpuSeconds;
}

/** How many times more units a side does per second of server CPU than another: a ratio of medians. */
export function cpuRatio(sides: Figure['sides'], ours: string, rival: string): number {
  return mediansOf(sideNamed(sides, ours)).perCpuSecond / mediansOf(sideNamed(sides, rival)).perCpuSecond;
}

/**
 * How many times the server's CPU time of another side a unit of a side takes: the median over the rounds of the ratio in each. For sides
 * that are measured one right after the other: a change of the machine's speed between rounds then cancels out.
 */
export function pairedCost(sides: Figure['sides'], side: string, other: string): number {
  const others = sideNamed(sides, other).rounds;
  return median(sideNamed(sides, side).rounds.map((round, at) => perCpuSecond(others[at]!) / perCpuSecond(round)));
}

export function sideNamed(sides: Figure['sides'], name: string): Side {
  const side = sides.find((candidate) => candidate.name === name);
  if (side === undefined) throw new TypeError(`there is no side ${name}`);
  return side;
}
