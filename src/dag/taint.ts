// Which tasks of a graph are tainted: those that were marked as compromised, whose key was, and all that came after them.
// Nothing is decided here: a taint asks for a review, and breaks no rule.

import { type Pace, STEPS_PER_NAME } from '../pace.ts';
import type { Task } from './task.ts';
import type { TaskGraph } from './walk.ts';

/**
 * Port: what was marked as compromised. `find` answers, for those of `names` that were marked, the index of the ledger's
 * entry that says so. Names are made by `taskMark` and `keyMark`; a few hundred a call. Failures: those of the storage.
 */
export interface Marks {
  find(names: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** Why one task is tainted: the nearest source. A task that is marked itself may have tainted ancestors all the same. */
export interface Taint {
  readonly jti: string;
  readonly wid: string;
  readonly source: 'task' | 'key' | 'ancestor';
  /** The `jti` of the ancestor that was marked, or whose key was; empty for the other sources. */
  readonly ancestor: string;
  /** The key that was marked; empty where a task was. */
  readonly kid: string;
  /** The ledger's entry that marks it. */
  readonly entry: number;
}

/** The name under which a task is marked. No two tasks share one, whatever their ids hold. */
export function taskMark(wid: string, jti: string): string {
  return JSON.stringify(['task', wid, jti]);
}

/** The name under which a key is marked. */
export function keyMark(kid: string): string {
  return JSON.stringify(['kid', kid]);
}

/** Names are made and looked for. */
const STEPS_PER_ORIGIN = 5;
const NAMES_PER_LOOKUP = 200;

type Marked = ReadonlyMap<string, number>;
/** Where a taint begins: at a task of the graph, or at a predecessor that was not found but is marked. */
interface Origin {
  readonly jti: string;
  readonly kid: string;
  readonly entry: number;
}

/** Every tainted task of the graph, in its order. Linear in the links; where nothing is marked, nothing is walked. */
export async function findTainted(graph: TaskGraph, marks: Marks, pace: Pace): Promise<readonly Taint[]> {
  const marked = await lookUp(await suspectNames(graph, pace), marks, pace);
  if (marked.size === 0) return [];
  const own = await ownOrigins(graph, marked, pace);
  const origins = await spread(graph, own, await missingOrigins(graph, marked, pace), pace);
  return graph.tasks.flatMap(({ jti, wid }, at): Taint[] => {
    const origin = origins[at];
    if (origin === undefined) return [];
    const { kid, entry } = origin;
    if (origin !== own[at]) return [{ jti, wid, source: 'ancestor', ancestor: origin.jti, kid, entry }];
    return [{ jti, wid, source: kid === '' ? 'task' : 'key', ancestor: '', kid, entry }];
  });
}

/** Every name under which something in the graph could be marked, its missing predecessors included. */
async function suspectNames(graph: TaskGraph, pace: Pace): Promise<readonly string[]> {
  const names = new Set<string>();
  const kids = new Set<string>();
  for (const { wid, jti, kid } of graph.tasks) {
    if (pace.step(STEPS_PER_ORIGIN)) await pace.rest();
    names.add(taskMark(wid, jti));
    kids.add(kid);
  }
  for (const kid of kids) if (kid !== '') names.add(keyMark(kid));
  for await (const { meanings } of missingLinks(graph, pace)) for (const name of meanings) names.add(name);
  return [...names];
}

async function lookUp(names: readonly string[], marks: Marks, pace: Pace): Promise<Marked> {
  const marked = new Map<string, number>();
  for (let start = 0; start < names.length; start += NAMES_PER_LOOKUP) {
    const part = names.slice(start, start + NAMES_PER_LOOKUP);
    for (const [name, entry] of await marks.find(part)) marked.set(name, entry);
    if (pace.step(part.length * STEPS_PER_NAME)) await pace.rest();
  }
  return marked;
}

async function ownOrigins({ tasks }: TaskGraph, marked: Marked, pace: Pace): Promise<readonly (Origin | undefined)[]> {
  const origins: (Origin | undefined)[] = [];
  for (const task of tasks) {
    if (pace.step(STEPS_PER_ORIGIN)) await pace.rest();
    origins.push(originOf(task, marked));
  }
  return origins;
}

function originOf({ jti, wid, kid }: Task, marked: Marked): Origin | undefined {
  const task = marked.get(taskMark(wid, jti));
  if (task !== undefined) return { jti, kid: '', entry: task };
  const key = kid === '' ? undefined : marked.get(keyMark(kid));
  return key === undefined ? undefined : { jti, kid, entry: key };
}

/** Links to predecessors that were not found. Each may mean a task of the same workflow, or one without. */
async function* missingLinks({ tasks, offsets, targets, unresolved }: TaskGraph, pace: Pace) {
  if (unresolved.length === 0) return;
  for (const [at, { wid, pred }] of tasks.entries()) {
    for (const [nth, jti] of pred.entries()) {
      if (pace.step()) await pace.rest();
      if (targets[offsets[at]! + nth]! < 0) yield { at, jti, meanings: [taskMark(wid, jti), taskMark('', jti)] };
    }
  }
}

/** By task, a predecessor that was not found but is marked. */
async function missingOrigins(graph: TaskGraph, marked: Marked, pace: Pace): Promise<ReadonlyMap<number, Origin>> {
  const origins = new Map<number, Origin>();
  for await (const { at, jti, meanings } of missingLinks(graph, pace)) {
    const entry = meanings.map((name) => marked.get(name)).find((found) => found !== undefined);
    if (entry !== undefined && !origins.has(at)) origins.set(at, { jti, kid: '', entry });
  }
  return origins;
}

/** From the origins to all that follow, nearest first; a task is reached once, also where tasks go round in a circle. */
async function spread(
  graph: TaskGraph,
  own: readonly (Origin | undefined)[],
  missing: ReadonlyMap<number, Origin>,
  pace: Pace,
): Promise<readonly (Origin | undefined)[]> {
  const origins = own.map((origin, at) => origin ?? missing.get(at));
  const { starts, followers } = await turnLinks(graph, pace);
  const queue = [...origins.keys()].filter((at) => origins[at] !== undefined);
  for (const at of queue) {
    for (let link = starts[at]!; link < starts[at + 1]!; link++) {
      if (pace.step()) await pace.rest();
      const follower = followers[link]!;
      if (origins[follower] !== undefined) continue;
      origins[follower] = origins[at];
      queue.push(follower);
    }
  }
  return origins;
}

/** The links the other way round: those that follow task `i` stand from `starts[i]` to before `starts[i + 1]`. */
async function turnLinks({ tasks, offsets, targets }: TaskGraph, pace: Pace) {
  const starts = new Int32Array(tasks.length + 1);
  for (const target of targets) {
    if (pace.step()) await pace.rest();
    if (target >= 0) starts[target + 1]!++;
  }
  for (let at = 0; at < tasks.length; at++) starts[at + 1]! += starts[at]!;
  const followers = new Int32Array(starts[tasks.length]!);
  const next = starts.slice();
  for (let at = 0; at < tasks.length; at++) {
    for (let link = offsets[at]!; link < offsets[at + 1]!; link++) {
      if (pace.step()) await pace.rest();
      const target = targets[link]!;
      if (target >= 0) followers[next[target]!++] = at;
    }
  }
  return { starts, followers };
}
