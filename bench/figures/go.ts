// Issue and Verify beside a bare server in Go: what a mesh would run if it had no authority, only a key.

import { OURS, startAuthority } from '../authority-process.ts';
import { underH2load, underLoad } from '../contenders.ts';
import { buildGrpcGo } from '../rivals/grpc-go.ts';
import { startGrpcGo } from '../rivals/index.ts';
import { cpuRatio, interleave } from '../signature-batches.ts';
import type { Measure } from './plan.ts';

const UNSEEN = 'ours, Verify unseen';

export const measureGo: Measure = async (bench, plan) => {
  const figure = { name: 'go', title: 'Beside grpc-go', unit: 'calls' } as const;
  const built = await buildGrpcGo();
  if (built === undefined) {
    return {
      ...figure,
      sides: [],
      goals: [],
      notes: ['Skipped: Go is not installed (Debian: apt-get install golang-go).'],
    };
  }
  await using ours = await startAuthority(bench);
  await using signing = await startGrpcGo(bench, ours, built.program, 'issue');
  await using verifying = await startGrpcGo(bench, ours, built.program, 'verify-unseen');
  const issuing = await Promise.all([signing, ours].map((server) => underH2load(bench, server, 'issue')));
  const checking = await Promise.all([
    underLoad(bench, verifying, 'verify-unseen'),
    underLoad(bench, { ...ours, name: UNSEEN }, 'verify-unseen'),
  ]);
  const sides = [...(await interleave(issuing, plan.rounds)), ...(await interleave(checking, plan.rounds))];
  const goal = (text: string, side: string, against: string, limit: number) =>
    ({ text, against, value: cpuRatio(sides, side, against), limit, kind: 'at least', unit: '×' }) as const;
  return {
    ...figure,
    sides,
    goals: [goal('Issue', OURS, signing.name, 1.5), goal('Verify, unseen', UNSEEN, verifying.name, 1.2)],
    notes: [`grpc-go with crypto/ecdsa, built by ${built.version}; it has one core, as we have.`],
  };
};
