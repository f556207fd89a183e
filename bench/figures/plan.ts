// How long a run measures: fully, or in under two minutes.

import type { Bench } from '../contenders.ts';
import type { Figure } from '../report.ts';
import type { RoundPlan } from '../signature-batches.ts';

export interface Plan {
  readonly mode: 'full' | 'quick';
  /** Comparisons of ours with rivals. */
  readonly rounds: RoundPlan;
  /** Calls before the first and before the last look at the memory. */
  readonly memoryCalls: readonly [first: number, last: number];
  /** Runs at half load, each of so many seconds. */
  readonly halfLoad: { readonly runs: number; readonly seconds: number };
  /** Tasks of a workflow that are recorded before it is measured, from few to many, and how long each side is measured. */
  readonly graph: { readonly sizes: readonly [few: number, some: number, many: number]; readonly rounds: RoundPlan };
  /** Entries of the ledger before an append is measured, few and many, and how long each side is measured. */
  readonly replicas: { readonly sizes: readonly [few: number, many: number]; readonly rounds: RoundPlan };
  /** Rounds that find the peak, then the storm, then how long the recovery is watched. */
  readonly overload: { readonly peakRounds: number; readonly seconds: number; readonly recoverySeconds: number };
}

export const FULL: Plan = {
  mode: 'full',
  rounds: { rounds: 7, seconds: 3, warmUpSeconds: 3 },
  memoryCalls: [10_000, 1_000_000],
  halfLoad: { runs: 3, seconds: 5 },
  graph: { sizes: [100, 10_000, 100_000], rounds: { rounds: 9, seconds: 0.8, warmUpSeconds: 1 } },
  replicas: { sizes: [10_000, 1_000_000], rounds: { rounds: 5, seconds: 2, warmUpSeconds: 2 } },
  overload: { peakRounds: 3, seconds: 5, recoverySeconds: 8 },
};

export const QUICK: Plan = {
  mode: 'quick',
  rounds: { rounds: 3, seconds: 0.8, warmUpSeconds: 0.8 },
  memoryCalls: [10_000, 40_000],
  halfLoad: { runs: 1, seconds: 3 },
  graph: { sizes: [100, 1_000, 10_000], rounds: { rounds: 5, seconds: 0.3, warmUpSeconds: 0.3 } },
  replicas: { sizes: [10_000, 50_000], rounds: { rounds: 3, seconds: 0.6, warmUpSeconds: 0.6 } },
  overload: { peakRounds: 2, seconds: 3, recoverySeconds: 6 },
};

/** Measures one figure. Throws where it could not. */
export type Measure = (bench: Bench, plan: Plan) => Promise<Figure>;
