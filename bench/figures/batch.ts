// Batches of 100 beside the raw loop of node:crypto. Speeds count tokens.

import { startAuthority } from '../authority-process.ts';
import { type Shape, underH2load, underLoad } from '../contenders.ts';
import { cryptoLoop } from '../rivals/index.ts';
import { cpuRatio, interleave } from '../signature-batches.ts';
import type { Measure } from './plan.ts';

/** Eight batches open: enough to keep the server busy. */
const FEW: Shape = { connections: 4, streams: 2 };
const LIMIT = 0.8;

export const measureBatch: Measure = async (bench, plan) => {
  await using ours = await startAuthority(bench);
  const [issue, verify] = ['ours, BatchIssue', 'ours, BatchVerify'] as const;
  const [sign, check] = [cryptoLoop(bench, 'sign'), cryptoLoop(bench, 'verify')];
  const contenders = [
    sign,
    await underH2load(bench, { ...ours, name: issue }, 'batch-issue', FEW),
    check,
    await underLoad(bench, { ...ours, name: verify }, 'batch-verify', FEW),
  ];
  const sides = await interleave(contenders, plan.rounds);
  const goal = (side: string, against: string) =>
    ({
      text: `${side} ÷ loop`,
      against,
      value: cpuRatio(sides, side, against),
      limit: LIMIT,
      kind: 'at least',
      unit: '×',
    }) as const;
  return {
    name: 'batch',
    title: 'Batches of 100',
    unit: 'tokens',
    sides,
    goals: [goal(issue, sign.name), goal(verify, check.name)],
    notes: ['Latencies are those of a whole batch. BatchVerify gets unseen tokens.'],
  };
};
