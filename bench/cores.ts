// Which core does what: the server alone on one, the load generator on another.

import { availableParallelism } from 'node:os';

/** The generator's core. With one core only, everything shares it, and only the CPU accounting means something. */
export const GENERATOR_CORE = 1;
export const SERVER_CORE = 0;

/** For servers that are measured together, and for their database: the scheduler places them. */
export const ALL_CORES: readonly number[] = Array.from({ length: availableParallelism() }, (_, core) => core);

/** A command line that runs on these cores only, where there are two or more. */
export function pinned(cores: readonly number[], command: string, args: readonly string[]): [string, string[]] {
  if (availableParallelism() < 2) return [command, [...args]];
  return ['taskset', ['-c', cores.join(','), command, ...args]];
}
