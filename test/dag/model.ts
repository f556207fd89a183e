// What the rules of the graph say, computed in the most obvious way: everything against everything, no sharing, no care
// for cost. The property tests hold the real thing against it.

import { type DagPolicy, type DagReport, keyMark, type Task, type TaskName, taskMark } from '../../src/dag/index.ts';

/** What both say. */
export type Facts = Omit<Expected, 'isTainted'>;

export interface Expected {
  readonly violations: readonly string[];
  readonly unresolved: readonly string[];
  readonly ancestors: number;
  readonly depth: number;
  readonly roots: readonly string[];
  readonly leaves: readonly string[];
  /** The tasks that were marked, whose key was, or that come after such a task. */
  readonly tainted: readonly string[];
  /** Whether the first seed is. */
  readonly isTainted: boolean;
  readonly pathLevel: string | undefined;
}

/** `seeds` are examined, `others` can be found. `members` says which tasks of the graph the shape is about. */
export function expectedOf(
  seeds: readonly Task[],
  others: readonly Task[],
  policy: DagPolicy,
  members: 'all' | 'seeds',
  marked: readonly string[] = [],
): Expected {
  const universe = [...seeds, ...others.filter((other) => !seeds.some((seed) => sameName(seed, other)))];

  function meaning(jti: string, wid: string): Task | undefined {
    const named = universe.filter((candidate) => candidate.jti === jti);
    return (
      named.find((candidate) => candidate.wid === wid) ?? named.find((candidate) => candidate.wid === '') ?? named[0]
    );
  }
  const predsOf = (of: Task) => of.pred.flatMap((jti, nth) => meaning(jti, of.predWids?.[nth] ?? of.wid) ?? []);

  let reached = new Set(seeds);
  for (let before = -1; before !== reached.size; ) {
    before = reached.size;
    reached = new Set([...reached, ...[...reached].flatMap(predsOf)]);
  }
  const all = [...reached];

  const leadsTo = new Map(all.map((from) => [from, new Set(predsOf(from))]));
  for (let round = 0; round < all.length; round++) {
    for (const from of all) {
      for (const via of leadsTo.get(from)!) for (const to of leadsTo.get(via)!) leadsTo.get(from)!.add(to);
    }
  }
  const onCircle = all.filter((one) => leadsTo.get(one)!.has(one));
  const circleOf = (one: Task) =>
    onCircle.filter((other) => leadsTo.get(one)!.has(other) && leadsTo.get(other)!.has(one));

  const violations = onCircle.filter((one) => circleOf(one)[0] === one).map((one) => key('DAG_CYCLE', circleOf(one)));
  for (const one of all) {
    const late = predsOf(one).filter((pred) => pred.iat - one.iat > policy.clockSkewSeconds);
    if (late.length > 0) violations.push(key('DAG_TIME_ORDER', [one, ...late]));
    const strangers = predsOf(one).filter((pred) => one.wid && pred.wid && one.wid !== pred.wid);
    if (strangers.length > 0 && !policy.linksAcrossWorkflows) {
      violations.push(key('DAG_WORKFLOW_MISMATCH', [one, ...strangers]));
    }
    const open = predsOf(one).filter(
      ({ pol_decision: word }) => word === 'rejected' || word === 'pending_human_review',
    );
    if (open.length > 0 && policy.predecessorPolicy && !one.isRemedy) {
      violations.push(key('DAG_PREDECESSOR_NOT_APPROVED', [one, ...open]));
    }
  }

  const shown = members === 'all' ? all : [...seeds];
  const longest = (from: Task): number =>
    (shown.includes(from) ? 1 : 0) + Math.max(0, ...predsOf(from).map((pred) => longest(pred)));
  const isMarked = ({ wid, jti, kid }: Task) =>
    marked.includes(taskMark(wid, jti)) || (kid !== '' && marked.includes(keyMark(kid)));
  /** A predecessor that is not known may be the marked task of the workflow, or the one without workflow. */
  const missesMarked = ({ wid, pred }: Task) =>
    pred.some(
      (jti) =>
        meaning(jti, wid) === undefined && (marked.includes(taskMark(wid, jti)) || marked.includes(taskMark('', jti))),
    );
  const isOrigin = (one: Task) => isMarked(one) || missesMarked(one);
  const tainted = all.filter((one) => isOrigin(one) || [...leadsTo.get(one)!].some(isOrigin));
  const missing = all.flatMap((one) =>
    one.pred
      .map((jti, nth) => ({ wid: one.predWids?.[nth] ?? one.wid, jti }))
      .filter(({ wid, jti }) => meaning(jti, wid) === undefined),
  );
  return {
    violations: violations.sort(),
    unresolved: [...new Set(names(missing))].sort(),
    ancestors: all.length - seeds.length,
    depth: onCircle.length > 0 ? 0 : Math.max(0, ...all.map(longest)),
    roots: names(shown.filter((one) => one.pred.length === 0)),
    leaves: names(shown.filter((one) => !all.some((other) => other !== one && predsOf(other).includes(one)))),
    tainted: names(tainted),
    isTainted: tainted.includes(seeds[0]!),
    pathLevel: missing.length > 0 ? undefined : (all.map(({ level }) => level).sort()[0] ?? 'L3'),
  };
}

/** The same facts of a real report. */
export function factsOf(report: DagReport): Facts {
  return {
    violations: report.violations.map(({ reason, tasks }) => key(reason, tasks)).sort(),
    unresolved: names(report.unresolved),
    ancestors: report.visited,
    depth: report.depth,
    roots: names(report.roots),
    leaves: names(report.leaves),
    tainted: names(report.tainted.map(({ task }) => task)),
    pathLevel: report.pathLevel,
  };
}

function sameName(a: Task, b: Task): boolean {
  return a.jti === b.jti && a.wid === b.wid;
}

function names(tasks: readonly TaskName[]): string[] {
  return tasks.map(({ wid, jti }) => `${wid}/${jti}`).sort();
}

function key(reason: string, tasks: readonly TaskName[]): string {
  return `${reason} ${names(tasks).join()}`;
}
