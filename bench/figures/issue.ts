// Issue at level L2, beside a bare server that signs and beside the same handler on connect-node.

import { OURS, startAuthority } from '../authority-process.ts';
import { underH2load } from '../contenders.ts';
import { startConnect, startGrpcJs } from '../rivals/index.ts';
import { cpuRatio, interleave } from '../signature-batches.ts';
import type { Measure } from './plan.ts';

export const measureIssue: Measure = async (bench, plan) => {
  await using ours = await startAuthority(bench);
  await using bare = await startGrpcJs(bench, ours, 'issue');
  await using connect = await startConnect(bench);
  const contenders = await Promise.all([bare, ours, connect].map((server) => underH2load(bench, server, 'issue')));
  const sides = await interleave(contenders, plan.rounds);
  const goal = (against: string, limit: number) =>
    ({
      text: `Issue ÷ ${against}`,
      against,
      value: cpuRatio(sides, OURS, against),
      limit,
      kind: 'at least',
      unit: '×',
    }) as const;
  return {
    name: 'issue',
    title: 'Issue (L2)',
    unit: 'calls',
    sides,
    goals: [goal(bare.name, 1.1), goal(connect.name, 3)],
    notes: [],
  };
};
