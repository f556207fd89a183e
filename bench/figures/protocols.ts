// Issue by callers who do not speak plain gRPC, beside the same handler on connect-node over Node's HTTP/2, and beside our own
// service over Node's HTTP/2.

import { OURS, startAuthority } from '../authority-process.ts';
import { BUSY, underH2load } from '../contenders.ts';
import { startConnect } from '../rivals/index.ts';
import { cpuRatio, interleave } from '../signature-batches.ts';
import { GRPC, OTHER_FORMS } from '../wire-form.ts';
import type { Measure } from './plan.ts';

const ON_NODE = 'ECT_HTTP2=node';

export const measureProtocols: Measure = async (bench, plan) => {
  await using ours = await startAuthority(bench);
  await using onNode = await startAuthority(bench, { name: ON_NODE, settings: { ECT_HTTP2: 'node' } });
  await using connect = await startConnect(bench);
  const sides = [];
  const goals = [];
  for (const form of [...OTHER_FORMS, GRPC]) {
    const nameOf = (name: string) => `${name}, ${form.name}`;
    const contenders = await Promise.all(
      [ours, onNode, connect].map(async (server) => ({
        ...(await underH2load(bench, server, 'issue', BUSY, undefined, form)),
        name: nameOf(server.name),
      })),
    );
    const measured = await interleave(contenders, plan.rounds);
    sides.push(...measured);
    // Plain gRPC has its goal in a figure of its own.
    if (form === GRPC) continue;
    const against = nameOf(connect.name);
    const value = cpuRatio(measured, nameOf(OURS), against);
    goals.push({ text: nameOf(OURS), against, value, limit: 0.8, kind: 'at least', unit: '×' } as const);
  }
  return { name: 'protocols', title: 'Issue, other protocols', unit: 'calls', sides, goals, notes: [] };
};
