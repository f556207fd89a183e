// The machine that the figures come from.

import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import type { Machine } from './report.ts';

const GIB = 2 ** 30;

/** The load average over one minute. */
export function loadNow(): number {
  return loadavg()[0] ?? Number.NaN;
}

export function describeMachine(h2load: string, loadBefore: number): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / GIB),
    system: `${type()} ${release()}`,
    node: process.version,
    h2load,
    loadBefore,
    loadAfter: loadNow(),
  };
}
