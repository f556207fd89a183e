// Verify: tokens that nobody has seen, with and without the replay guard, and tokens that come again.

import { startAuthority } from '../authority-process.ts';
import { underLoad } from '../contenders.ts';
import { startGrpcJs } from '../rivals/index.ts';
import { cpuRatio, interleave } from '../signature-batches.ts';
import type { Measure } from './plan.ts';

const UNSEEN = 'ours, unseen';
const RECORDED = 'ours, recorded';
const SEEN = 'ours, seen';

export const measureVerify: Measure = async (bench, plan) => {
  await using ours = await startAuthority(bench);
  await using bare = await startGrpcJs(bench, ours, 'verify-unseen');
  const contenders = await Promise.all([
    underLoad(bench, bare, 'verify-unseen'),
    underLoad(bench, { ...ours, name: UNSEEN }, 'verify-unseen'),
    underLoad(bench, { ...ours, name: RECORDED }, 'verify-recorded'),
    underLoad(bench, { ...ours, name: SEEN }, 'verify-seen'),
  ]);
  const sides = await interleave(contenders, plan.rounds);
  const goal = (text: string, side: string, against: string, limit: number) =>
    ({ text, against, value: cpuRatio(sides, side, against), limit, kind: 'at least', unit: '×' }) as const;
  return {
    name: 'verify',
    title: 'Verify',
    unit: 'calls',
    sides,
    goals: [
      goal('unseen, replay skipped', UNSEEN, bare.name, 1),
      goal('unseen, replay recorded', RECORDED, bare.name, 0.8),
      goal('seen ÷ unseen', SEEN, UNSEEN, 2),
    ],
    notes: ['Driven by our own generator on all sides: h2load cannot send a fresh token in every call.'],
  };
};
