// What a task costs after ten, ten thousand and a hundred thousand others: Issue, AppendLedger and Verify with the graph.

import { OURS, startAuthority } from '../authority-process.ts';
import { type Bench, type CallContender, type Shape, signerOf, underH2load, underLoad } from '../contenders.ts';
import { recordPast, SHAPES, type ShapeName } from '../recorded-past.ts';
import type { Goal, Side } from '../report.ts';
import type { Server } from '../servers.ts';
import { interleave, pairedCost } from '../signature-batches.ts';
import type { Place } from '../tokens.ts';
import type { WorkName } from '../works.ts';
import type { Measure } from './plan.ts';

const CALLERS: Shape = { connections: 8, streams: 8 };
/** One batch of 100: about as many entries are open as with single calls. */
const ONE: Shape = { connections: 1, streams: 1 };
const METHODS = { Issue: 'issue-after', Append: 'append', Verify: 'verify-after' } as const satisfies Record<
  string,
  WorkName
>;
type Method = keyof typeof METHODS;
const FAN_IN = 'rows of 100, fan-in of 3';
const ROOT = 'Append of a root';
const ROOTS = 'BatchAppend of roots';

/** Cost of a task after many, in times of its cost after few. */
const FLAT = 1.2;
const FAN_IN_LIMIT = 1.5;

export const measureGraph: Measure = async (bench, plan) => {
  const { sizes, rounds } = plan.graph;
  await using ours = await startAuthority(bench);
  const [few, some, many] = sizes;
  const contenders: CallContender[] = [];
  for (const shape of Object.keys(SHAPES) as ShapeName[]) {
    const places = new Map<number, Place>();
    for (const size of sizes) places.set(size, await recordPast(ours, await signerOf(bench), shape, size));
    for (const method of Object.keys(METHODS) as Method[]) {
      // Sides that are compared stand beside each other.
      for (const size of [some, few, many]) {
        contenders.push(await contend(bench, { ...ours, name: nameOf(method, shape, size) }, method, places.get(size)));
        if (method !== 'Append' || shape !== FAN_IN || size !== many) continue;
        contenders.push(
          await underLoad(bench, { ...ours, name: ROOT }, 'append', CALLERS),
          await underLoad(bench, { ...ours, name: ROOTS }, 'batch-append', ONE),
        );
      }
    }
  }
  const sides = await interleave(contenders, rounds);
  const flat = (Object.keys(METHODS) as Method[]).flatMap((method) =>
    (Object.keys(SHAPES) as ShapeName[]).map((shape) =>
      costGoal(
        `${method}, ${shape}: ${many} ÷ ${few}`,
        sides,
        nameOf(method, shape, many),
        nameOf(method, shape, few),
        FLAT,
      ),
    ),
  );
  const fanIn = nameOf('Append', FAN_IN, many);
  return {
    name: 'graph',
    title: 'Graphs',
    unit: 'calls',
    sides,
    goals: [
      ...flat,
      costGoal('Append after three ÷ Append of a root', sides, fanIn, ROOT, FAN_IN_LIMIT),
      costGoal('BatchAppend ÷ Append, an entry', sides, ROOTS, ROOT, 1),
    ],
    notes: [
      'One process and one ledger. A side is a workflow with so many recorded tasks; what is measured follows the last of them.',
      'Goals compare CPU time of the server: medians of the ratio in each round, of sides that are measured one after the other. Verify gets unseen tokens, and demands a complete graph. BatchAppend counts entries.',
    ],
  };
};

function contend(bench: Bench, server: Server, method: Method, place: Place | undefined): Promise<CallContender> {
  const work = METHODS[method];
  // Every Issue is the same request: the faster generator sends it.
  if (work === 'issue-after') return underH2load(bench, server, work, undefined, place);
  return underLoad(bench, server, work, CALLERS, place);
}

function nameOf(method: Method, shape: ShapeName, size: number): string {
  return `${OURS}, ${method} after ${size}: ${shape}`;
}

function costGoal(text: string, sides: readonly Side[], side: string, other: string, limit: number): Goal {
  return { text, value: pairedCost(sides, side, other), limit, kind: 'at most', unit: '×' };
}
