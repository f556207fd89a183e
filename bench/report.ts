// What one run found: figures, the sides that each compares, and the goals that it is compared with.

/** One round of one side. */
export interface Round {
  /** Finished calls, or tokens where a call carries many. */
  readonly units: number;
  readonly seconds: number;
  /** CPU time of the server process in that time, all threads, user and system. */
  readonly cpuSeconds: number;
  /** Latency of a call. NaN where there are no calls. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Resident memory of the server after the round. */
  readonly rssBytes: number;
  /** CPU time of the database's processes in that time, where there is one. */
  readonly databaseCpuSeconds?: number;
  /** How busy our own generator was, where it drove: near 1, it may have held the server back. */
  readonly generatorBusy?: number;
}

/** One side of a comparison: ours, or a rival. */
export interface Side {
  readonly name: string;
  readonly rounds: readonly Round[];
}

/** A limit and what was measured. */
export interface Goal {
  readonly text: string;
  /** The side that the ratio is taken against, where it is a ratio between two sides. */
  readonly against?: string;
  /** Undefined: there was nothing to measure, which does not hold. */
  readonly value: number | undefined;
  readonly limit: number;
  readonly kind: 'at least' | 'at most';
  readonly unit: '×' | 'ms' | 's' | 'MB' | '%';
}

export interface Figure {
  readonly name: string;
  readonly title: string;
  /** What the speeds count. */
  readonly unit: 'calls' | 'tokens';
  readonly sides: readonly Side[];
  readonly goals: readonly Goal[];
  readonly notes: readonly string[];
}

/** The machine that a run came from. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly h2load: string;
  /** Load averages over 1 minute, before and after: anything above the load of the run itself is another party's. */
  readonly loadBefore: number;
  readonly loadAfter: number;
}

export interface Report {
  readonly startedAt: string;
  readonly mode: 'full' | 'quick';
  readonly machine: Machine;
  readonly figures: readonly Figure[];
}

/** Whether a goal holds. */
export function holds({ value, limit, kind }: Goal): boolean {
  if (value === undefined || Number.isNaN(value)) return false;
  return kind === 'at least' ? value >= limit : value <= limit;
}
