// The content of a drawing of a graph, before it is written in any language.

import type { Yielder } from '../concurrency/yielder.ts';
import type { DagReport } from './report.ts';
import { contextOf, type Task, type TaskName } from './task.ts';

/**
 * The maximum size of a drawing: a larger one is unreadable, and Mermaid fails much earlier.
 * @internal Exported because tests compute with it.
 */
export const MAX_DRAWN_TASKS = 1_000;
/** @internal Exported because tests compute with it. */
export const MAX_DRAWN_LINKS = 5_000;
/** Predecessors that were not found. Each task may name a hundred, so they have a limit of their own: the size of a drawing is bounded. */
const MAX_DRAWN_MISSING = 1_000;

/** The cost of sorting twice as many tasks, in steps. */
const STEPS_PER_SORT = 5_000;

export interface Drawing {
  readonly nodes: readonly DrawnNode[];
  readonly links: readonly DrawnLink[];
}

export interface DrawnNode {
  /** A constant text; never text of a task. */
  readonly id: string;
  /** Attacker-controlled. */
  readonly lines: readonly string[];
  readonly look: 'sound' | 'broken' | 'missing' | 'note';
  readonly isTainted: boolean;
}

export interface DrawnLink {
  /** Predecessor and successor, by id of the node. */
  readonly from: string;
  readonly to: string;
  readonly isMissing: boolean;
}

/** Selects the earliest tasks and the links among them, in an order that depends only on the tasks. */
export async function drawGraph(
  { graph, violations, unresolved, tainted }: DagReport,
  yielder: Yielder,
): Promise<Drawing> {
  const { tasks, offsets, targets } = graph;
  const broken = new Set(violations.flatMap((violation) => violation.tasks.map(keyOf)));
  const absent = new Set(unresolved.map(keyOf));
  const suspect = new Set(tainted.map(({ task }) => keyOf(task)));
  const drawn = await earliest(tasks, yielder);
  const ids = new Map(drawn.map((position, nth) => [position, `t${nth}`]));
  const absentIds = new Map<string, { readonly id: string; readonly jti: string }>();
  const links: DrawnLink[] = [];
  let isCut = tasks.length > MAX_DRAWN_TASKS;

  for (const [position, to] of ids) {
    const task = tasks[position]!;
    for (const [nth, jti] of task.pred.entries()) {
      const name = keyOf({ wid: contextOf(task, nth), jti });
      const from = ids.get(targets[offsets[position]! + nth]!);
      if (from !== undefined) {
        links.push({ from, to, isMissing: false });
      } else if (absent.has(name)) {
        if (!absentIds.has(name) && absentIds.size >= MAX_DRAWN_MISSING) {
          isCut = true;
          continue;
        }
        const missing = absentIds.get(name) ?? { id: `m${absentIds.size}`, jti };
        absentIds.set(name, missing);
        links.push({ from: missing.id, to, isMissing: true });
      }
    }
    if (links.length > MAX_DRAWN_LINKS) break;
  }

  const nodes: DrawnNode[] = drawn.map((position) => {
    const { wid, jti, exec_act } = tasks[position]!;
    const name = keyOf({ wid, jti });
    const isTainted = suspect.has(name);
    const lines = [...(exec_act === undefined ? [] : [exec_act]), jti, ...(isTainted ? ['tainted'] : [])];
    return { id: ids.get(position)!, lines, look: broken.has(name) ? 'broken' : 'sound', isTainted };
  });
  for (const { id, jti } of absentIds.values())
    nodes.push({ id, lines: ['not found', jti], look: 'missing', isTainted: false });
  if (isCut || links.length > MAX_DRAWN_LINKS) {
    nodes.push({ id: 'note', lines: ['The graph is larger than this drawing.'], look: 'note', isTainted: false });
  }
  return { nodes, links: links.slice(0, MAX_DRAWN_LINKS) };
}

/** The key of a name. It is unambiguous, because ids have no line breaks. */
function keyOf({ wid, jti }: TaskName): string {
  return `${wid}\n${jti}`;
}

/** Positions of the drawn tasks, in order. Sorting all tasks of a large graph would delay other calls. */
async function earliest(tasks: readonly Task[], yielder: Yielder): Promise<readonly number[]> {
  const compare = (a: number, b: number) => compareTasks(tasks[a]!, tasks[b]!);
  let kept: number[] = [];
  for (let start = 0; start < tasks.length; start += MAX_DRAWN_TASKS) {
    const end = Math.min(start + MAX_DRAWN_TASKS, tasks.length);
    for (let at = start; at < end; at++) kept.push(at);
    kept = kept.sort(compare).slice(0, MAX_DRAWN_TASKS);
    if (yielder.step(STEPS_PER_SORT)) await yielder.yield();
  }
  return kept;
}

function compareTasks(a: Task, b: Task): number {
  return a.iat - b.iat || compareStrings(a.wid, b.wid) || compareStrings(a.jti, b.jti);
}

function compareStrings(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
