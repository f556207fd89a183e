// Two workers beside one. Where no core is left for the generator, CPU accounting says what two free cores would do.

import { availableParallelism } from 'node:os';
import { OURS, startAuthority } from '../authority-process.ts';
import type { Bench } from '../contenders.ts';
import { underH2load } from '../contenders.ts';
import { GENERATOR_CORE, SERVER_CORE } from '../cores.ts';
import { type Server, StartFailure } from '../servers.ts';
import { cpuRatio, interleave, mediansOf, sideNamed } from '../signature-batches.ts';
import type { Measure } from './plan.ts';

const WORKERS = 2;
const LIMIT = 1.7;
const TWO = 'ours, 2 workers';
const SHOWN_CHARACTERS = 200;

export const measureWorkers: Measure = async (bench, plan) => {
  const head = { name: 'workers', title: 'Two workers', unit: 'calls' } as const;
  const goal = { text: '2 workers ÷ 1', against: OURS, limit: LIMIT, kind: 'at least', unit: '×' } as const;
  const started = await startTwo(bench);
  if (typeof started === 'string') {
    return {
      ...head,
      sides: [],
      goals: [],
      notes: [`Skipped: the service rejects ECT_WORKERS=${WORKERS}. ${started}`],
    };
  }
  await using two = started;
  await using one = await startAuthority(bench);
  const contenders = await Promise.all([one, two].map((server) => underH2load(bench, server, 'issue')));
  const sides = await interleave(contenders, plan.rounds);
  if (freeCores()) {
    const value = mediansOf(sideNamed(sides, TWO)).perSecond / mediansOf(sideNamed(sides, OURS)).perSecond;
    return { ...head, sides, goals: [{ ...goal, value }], notes: ['Ratio of calls per second.'] };
  }
  const value = WORKERS * cpuRatio(sides, TWO, OURS);
  const note = 'The generator shares a core with a worker, so the ratio is that of calls per CPU second, times two.';
  return { ...head, sides, goals: [{ ...goal, value }], notes: [note] };
};

function freeCores(): boolean {
  return availableParallelism() > WORKERS;
}

async function startTwo(bench: Bench): Promise<Server | string> {
  const cores = freeCores() ? [SERVER_CORE, GENERATOR_CORE + 1] : [SERVER_CORE, GENERATOR_CORE];
  try {
    return await startAuthority(bench, { name: TWO, settings: { ECT_WORKERS: String(WORKERS) }, cores });
  } catch (error) {
    // Only its own word that it does not know the setting is a reason to skip; any other failure is one to measure.
    if (!(error instanceof StartFailure) || !error.message.includes('ECT_WORKERS')) throw error;
    const line = error.message.split('\n').find((text) => text.includes('ECT_WORKERS is'));
    return (line ?? '').trim().slice(0, SHOWN_CHARACTERS);
  }
}
