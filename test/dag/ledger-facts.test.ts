// What the ledger vouches for, and where it stops.

import { describe, expect, test } from 'vitest';
import {
  bundleAncestry,
  DEFAULT_DAG_POLICY,
  examineLinks,
  examineTask,
  type Task,
  taskMark,
} from '../../src/dag/index.ts';
import { chain, countingPace, layers, marking, named, recording, task } from './graphs.ts';

const fresh = { exists: false };

/** Appends tasks one after the other, as a ledger does: each is examined, and recorded with what was found. */
async function record(tasks: readonly Task[]) {
  const recorded = new Map<string, Task>();
  const { yielder, steps } = countingPace();
  let lookedUp = 0;
  const ancestry = {
    find: async (jtis: readonly string[]) => {
      lookedUp += jtis.length;
      return new Map(jtis.flatMap((jti) => (recorded.has(jti) ? [[jti, recorded.get(jti)!]] : [])));
    },
  };
  for (const own of tasks) {
    const { status, facts } = await examineLinks(own, ancestry, fresh, { yielder });
    expect(status, own.jti).toBe('complete');
    const { depth, predWids } = facts!;
    expect(predWids).toBeUndefined();
    recorded.set(own.jti, { ...own, entry: recorded.size, ...(depth === undefined ? {} : { depth }) });
  }
  return { recorded, ancestry, lookedUp: () => lookedUp, steps: steps() };
}

describe('a recorded task is settled', () => {
  test('with the length of the longest path to it', async () => {
    const { recorded } = await record([...chain(50), task('own', ['c3', 'c49', 'c7'])]);
    expect([...recorded.values()].map(({ depth }) => depth)).toEqual([...Array(51).keys()].map((at) => at + 1));
  });

  test.each<[string, readonly Task[], last: string, links: number, depth: number]>([
    ['a chain', chain(12_000), 'c11999', 11_999, 12_000],
    ['rows of 100, each task after three of the row before', rows(120, 100, 3), 'r119-0', 119 * 300, 120],
    ['levels of 10, each task after all of the level before', layers(1_200, 10), 'l1199-0', 119_900, 1_200],
  ])(
    'R10: %s of 12,000 tasks costs a name a link, without a limit to its size',
    async (_, tasks, last, links, depth) => {
      const { recorded, ancestry, lookedUp, steps } = await record(tasks);
      expect(lookedUp()).toBe(links);
      expect(steps).toBeLessThan(links * 150 + tasks.length * 60);
      expect(recorded.get(last)?.depth).toBe(depth);
      const before = lookedUp();
      expect(await examineLinks(task('own', [last]), ancestry, fresh)).toMatchObject({
        status: 'complete',
        visited: 1,
        depth: depth + 1,
        pathLevel: 'L3',
      });
      expect(lookedUp() - before).toBe(1);
    },
  );

  test('also where a link leads out of its workflow: the link is written down', async () => {
    const recorded = [task('x', [], { depth: 1 })];
    const p = task('p', ['x'], { wid: 'w1' });
    const { facts } = await examineLinks(p, bundleAncestry(recorded), fresh);
    expect(facts).toEqual({ depth: 2, predWids: [''] });
    const ledger = bundleAncestry([...recorded, { ...p, depth: 2, predWids: [''] }]);
    // The name is free in the workflow, and to take it changes nothing of what is recorded: there is no circle.
    const late = task('x', ['p'], { wid: 'w1' });
    for (const examine of [examineLinks, examineTask]) {
      expect(await examine(late, ledger, fresh)).toMatchObject({ status: 'complete', depth: 3 });
    }
  });
});

describe('a task is not settled', () => {
  /** Recorded before links were written down: its name means another task once `w1` has an `x` of its own. */
  const old = [task('x', [], { depth: 1 }), task('p', ['x'], { wid: 'w1' })];

  test('where a link of an older entry leads out of its workflow, nor is what follows', async () => {
    const q = task('q', ['p'], { wid: 'w1' });
    const { facts } = await examineLinks(q, bundleAncestry(old), fresh);
    expect(facts).toEqual({ depth: undefined, predWids: undefined });
    const late = task('x', ['q'], { wid: 'w1' });
    expect(await examineLinks(late, bundleAncestry([...old, q]), fresh)).toMatchObject({
      status: 'invalid',
      violations: [{ reason: 'DAG_CYCLE', tasks: ['x', 'q', 'p'].map((jti) => ({ wid: 'w1', jti })) }],
    });
  });

  test('where a predecessor is missing, or a rule is broken: there is nothing to write down', async () => {
    expect((await examineLinks(task('a', ['x']), bundleAncestry([]), fresh)).facts).toBeUndefined();
    const others = bundleAncestry([task('b', [], { iat: 9000 })]);
    expect((await examineLinks(task('a', ['b']), others, fresh)).facts).toBeUndefined();
  });

  test('of older entries inside a workflow: these are walked once, and what is appended then is settled', async () => {
    const { ancestry, calls } = recording(bundleAncestry(chain(30)));
    expect((await examineLinks(task('own', ['c29']), ancestry, fresh)).facts).toEqual({
      depth: 31,
      predWids: undefined,
    });
    expect(calls).toHaveLength(30);
  });

  test('R9: and the limit of 10,000 holds for the walk over them', async () => {
    const ledger = bundleAncestry(chain(10_001));
    expect((await examineLinks(task('own', ['c9999']), ledger, fresh)).status).toBe('complete');
    const { violations } = await examineLinks(task('own', ['c10000']), ledger, fresh);
    expect(violations).toMatchObject([{ reason: 'DAG_TOO_DEEP', tasks: named('own') }]);
  });
});

test('links to settled tasks are checked against every rule', async () => {
  const policy = DEFAULT_DAG_POLICY;
  const faults = async (own: Task, pred: Task) =>
    (await examineLinks(own, bundleAncestry([pred]), fresh, { policy })).violations.map(({ reason }) => reason);
  const own = task('own', ['a'], { wid: 'w1' });
  const settled = { depth: 7 };
  expect(await faults(own, task('a', [], { ...settled, wid: 'w1', iat: 1031 }))).toEqual(['DAG_TIME_ORDER']);
  expect(await faults(own, task('a', [], { ...settled, wid: 'w2' }))).toEqual(['DAG_WORKFLOW_MISMATCH']);
  expect(await faults(own, task('a', [], { ...settled, wid: 'w1', pol_decision: 'rejected' }))).toEqual([
    'DAG_PREDECESSOR_NOT_APPROVED',
  ]);
});

test('a full examination walks the whole past, settled or not', async () => {
  const tasks = chain(20).map((each, at) => ({ ...each, depth: at + 1 }));
  const report = await examineTask(task('own', ['c19']), bundleAncestry(tasks), fresh);
  expect(report).toMatchObject({ visited: 20, depth: 21, roots: named('c0') });
});

describe('taints of a past that is not walked', () => {
  test('are found by looking through it once; afterwards each task costs its predecessors', async () => {
    const { ancestry, lookedUp } = await record(chain(500));
    const marks = marking([taskMark('', 'c250')]);
    const look = async (own: Task) => {
      const before = lookedUp();
      const { tainted, taintsUnknown } = await examineLinks(own, ancestry, fresh, { marks });
      return [tainted.map(({ task: own, ancestor }) => [own.jti, ancestor?.jti]), taintsUnknown, lookedUp() - before];
    };
    const both = (pred: string) => [
      ['own', 'c250'],
      [pred, 'c250'],
    ];
    // Its predecessor, then what lies between that and the mark.
    expect(await look(task('own', ['c300']))).toEqual([both('c300'), false, 1 + 50]);
    expect(await look(task('own', ['c300']))).toEqual([both('c300'), false, 1]);
    // And what lies between that and the part that is known.
    expect(await look(task('own', ['c499']))).toEqual([both('c499'), false, 1 + 199]);
    expect(await look(task('own', ['c251']))).toEqual([both('c251'), false, 1]);
    expect(await look(task('own', ['c200']))).toEqual([[], false, 1 + 200]);
    expect(await look(task('own', ['c240']))).toEqual([[], false, 1 + 40]);
    expect(await look(task('own', ['c199', 'c240']))).toEqual([[], false, 2]);
  });

  test('where nothing is marked, nothing is looked for', async () => {
    const { ancestry, lookedUp } = await record(chain(50));
    const before = lookedUp();
    await examineLinks(task('own', ['c49']), ancestry, fresh, { marks: marking([]) });
    expect(lookedUp() - before).toBe(1);
  });

  test('are said to be unknown where the past is too large to look through, and it is not tried again', async () => {
    const recorded = new Map(
      chain(100_003).map((each, entry) => [each.jti, { ...each, entry, depth: entry + 1 }] as const),
    );
    let lookedUp = 0;
    const ancestry = {
      find: async (jtis: readonly string[]) => {
        lookedUp += jtis.length;
        return new Map(jtis.map((jti) => [jti, recorded.get(jti)!]));
      },
    };
    const marks = marking([taskMark('', 'elsewhere')]);
    const look = async (...pred: string[]) => {
      const before = lookedUp;
      const { tainted, taintsUnknown } = await examineLinks(task('own', pred), ancestry, fresh, { marks });
      return [tainted.length, taintsUnknown, lookedUp - before > 10];
    };
    expect(await look('c100002')).toEqual([0, true, true]);
    expect(await look('c100002')).toEqual([0, true, false]);
    // Another predecessor with a past of its own is not blamed for it.
    expect(await look('c100', 'c100002')).toEqual([0, true, true]);
    expect(await look('c100')).toEqual([0, false, false]);
  }, 60_000);
});

/** `rows` rows of `width` tasks; each follows `fanIn` of the row before. */
function rows(count: number, width: number, fanIn: number): Task[] {
  return Array.from({ length: count }, (_, row) =>
    Array.from({ length: width }, (__, at) =>
      task(
        `r${row}-${at}`,
        row === 0 ? [] : Array.from({ length: fanIn }, (___, nth) => `r${row - 1}-${(at + nth * 7) % width}`),
      ),
    ),
  ).flat();
}
