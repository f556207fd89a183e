// What is tainted, and by which source.

import { expect, test } from 'vitest';
import { STEPS_PER_SLICE } from '../../src/concurrency/yielder.ts';
import { bundleAncestry, examineTask, examineWorkflow, keyMark, type Task, taskMark } from '../../src/dag/index.ts';
import { chain, countingPace, marking, task } from './graphs.ts';

async function taintsOf(tasks: readonly Task[], marked: readonly string[]) {
  const { tainted } = await examineWorkflow(tasks, undefined, { marks: marking(marked) });
  return tainted.map(({ task: { jti }, source, ancestor, kid, entry }) => [
    jti,
    source,
    ancestor?.jti ?? '',
    kid,
    entry,
  ]);
}

test('nothing is tainted where nothing was marked', async () => {
  expect(await taintsOf(chain(5), [])).toEqual([]);
  expect((await examineWorkflow(chain(5))).tainted).toEqual([]);
});

test('a marked task is tainted by itself, what came after it by the task, and nothing before or beside it', async () => {
  const tasks = [...chain(4), task('beside', ['c0'])];
  expect(await taintsOf(tasks, [taskMark('', 'c1')])).toEqual([
    ['c1', 'task', '', '', 0],
    ['c2', 'ancestor', 'c1', '', 0],
    ['c3', 'ancestor', 'c1', '', 0],
  ]);
});

test('a marked key taints every task that it signed, and what came after', async () => {
  const tasks = [
    task('a', [], { kid: 'stolen' }),
    task('b', [], { kid: 'own' }),
    task('c', ['a', 'b'], { kid: 'own' }),
    task('d', ['c'], { kid: 'stolen' }),
  ];
  expect(await taintsOf(tasks, ['other', keyMark('stolen')])).toEqual([
    ['a', 'key', '', 'stolen', 1],
    ['c', 'ancestor', 'a', 'stolen', 1],
    ['d', 'key', '', 'stolen', 1],
  ]);
});

test('K12 a key that is marked since a second taints what is not known to be older, and what came after that', async () => {
  const tasks = [
    task('older', [], { kid: 'stolen', knownAt: 99 }),
    task('same', [], { kid: 'stolen', knownAt: 100 }),
    task('unknown', [], { kid: 'stolen' }),
    task('after-older', ['older'], { kid: 'own', knownAt: 500 }),
    task('after-same', ['same'], { kid: 'own', knownAt: 50 }),
  ];
  const { tainted } = await examineWorkflow(tasks, undefined, { marks: marking([keyMark('stolen')], 100) });
  expect(tainted.map(({ task: { jti } }) => jti)).toEqual(['same', 'unknown', 'after-same']);
  // Where no time was stated nothing is older.
  expect((await taintsOf(tasks, [keyMark('stolen')])).map(([jti]) => jti)).toContain('older');
  // A task that is marked itself is so whenever it was recorded.
  const own = await examineWorkflow(tasks, undefined, { marks: marking([taskMark('', 'older')], 100) });
  expect(own.tainted.map(({ task: { jti } }) => jti)).toEqual(['older', 'after-older']);
});

test('the nearest source is named; a task that is marked itself says so first, then its key', async () => {
  const tasks = [...chain(4), task('far', ['c3', 'c0'])];
  expect(await taintsOf(tasks, [taskMark('', 'c0'), taskMark('', 'c3'), keyMark('key-a')])).toEqual([
    ['c0', 'task', '', '', 0],
    ['c1', 'key', '', 'key-a', 2],
    ['c2', 'key', '', 'key-a', 2],
    ['c3', 'task', '', '', 1],
    ['far', 'key', '', 'key-a', 2],
  ]);
  const near = await taintsOf(tasks, [taskMark('', 'c0'), taskMark('', 'c2')]);
  expect(near).toContainEqual(['c3', 'ancestor', 'c2', '', 1]);
  expect(near).toContainEqual(['far', 'ancestor', 'c0', '', 0]);
});

test('a taint goes to those that follow, and to no neighbour of them', async () => {
  const tasks = [task('a'), task('b'), task('after-b', ['b']), task('after-a', ['a'])];
  const tainted = await taintsOf(tasks, [taskMark('', 'a')]);
  expect(tainted.map(([jti]) => jti)).toEqual(['a', 'after-a']);
});

test('a predecessor that was found is what it is: a namesake elsewhere that is marked taints nothing', async () => {
  const tasks = [task('b', [], { wid: 'w1' }), task('a', ['b', 'nowhere'], { wid: 'w1' })];
  expect(await taintsOf(tasks, [taskMark('', 'b')])).toEqual([]);
  expect(await taintsOf(tasks, [taskMark('', 'nowhere')])).toEqual([['a', 'ancestor', 'nowhere', '', 0]]);
});

test('an unsigned task has no key, so no mark of a key is meant for it', async () => {
  expect(await taintsOf([task('a', [], { kid: '' })], [keyMark('')])).toEqual([]);
});

test('the names of marks stay as they are: ledgers hold them', () => {
  expect(taskMark('w', 'j')).toBe('["task","w","j"]');
  expect(keyMark('k')).toBe('["kid","k"]');
  expect(keyMark('k', 1_000)).toBe('["kid","k",1000]');
});

test('a mark is for the task of one workflow, not for its namesakes', async () => {
  const tasks = ['', 'w1', 'w2'].map((wid) => task('a', [], { wid }));
  const { tainted } = await examineWorkflow(tasks, undefined, { marks: marking([taskMark('w1', 'a')]) });
  expect(tainted.map(({ task: { wid } }) => wid)).toEqual(['w1']);
});

test('a predecessor that is not known taints what names it, where it is marked', async () => {
  const own = task('own', ['x', 'y'], { wid: 'w1' });
  for (const wid of ['w1', '']) {
    const marks = marking([taskMark(wid, 'x')]);
    const report = await examineTask(own, bundleAncestry([]), { exists: false }, { marks });
    expect(report).toMatchObject({
      status: 'partial',
      tainted: [{ task: { wid: 'w1', jti: 'own' }, source: 'ancestor', ancestor: { wid, jti: 'x' } }],
    });
  }
  const marks = marking([taskMark('w2', 'x')]);
  expect((await examineTask(own, bundleAncestry([]), { exists: false }, { marks })).tainted).toEqual([]);
});

test('R10: predecessors that are not known are gone through in slices as well', async () => {
  const pred = Array.from({ length: 100 }, (_, at) => `x${at}`);
  const tasks = Array.from({ length: 300 }, (_, at) => task(`n${at}`, pred));
  const { yielder, slices } = countingPace();
  const marks = marking([taskMark('', 'x99')]);
  const { tainted } = await examineWorkflow(tasks, undefined, { marks, yielder });
  expect(tainted.every(({ ancestor }) => ancestor?.jti === 'x99')).toBe(true);
  expect(tainted).toHaveLength(300);
  expect(Math.max(...slices)).toBeLessThan(2 * STEPS_PER_SLICE);
});

test('of several unknown predecessors that are marked the first is named', async () => {
  const marks = marking([taskMark('', 'y'), taskMark('', 'x')]);
  const report = await examineTask(task('own', ['x', 'y']), bundleAncestry([]), { exists: false }, { marks });
  expect(report.tainted).toMatchObject([{ ancestor: { wid: '', jti: 'x' }, entry: 1 }]);
});

test('a taint goes round a circle once', async () => {
  const tasks = [task('a', ['c']), task('b', ['a']), task('c', ['b']), task('before', []), task('self', ['self'])];
  expect(await taintsOf(tasks, [taskMark('', 'b'), taskMark('', 'self')])).toEqual([
    ['a', 'ancestor', 'b', '', 0],
    ['b', 'task', '', '', 0],
    ['c', 'ancestor', 'b', '', 0],
    ['self', 'task', '', '', 1],
  ]);
});

test('a taint breaks no rule', async () => {
  const report = await examineWorkflow(chain(3), undefined, { marks: marking([taskMark('', 'c0')]) });
  expect(report).toMatchObject({ status: 'complete', violations: [] });
  expect(report.tainted).toHaveLength(3);
});

test('a task without a key is not tainted by a mark on the empty name', async () => {
  expect(await taintsOf([task('a', [], { kid: '' })], [keyMark('')])).toEqual([]);
});

test('a failure of the marks is passed on as it is', async () => {
  const failure = new Error('storage');
  const marks = { current: () => Promise.reject(failure) };
  await expect(examineWorkflow(chain(1), undefined, { marks })).rejects.toBe(failure);
});

test('names of subjects are never equal by accident', () => {
  const names = [taskMark('a b', 'c'), taskMark('a', 'b c'), taskMark('', '["kid","k"]'), keyMark('k')];
  expect(new Set([...names, keyMark(taskMark('', 'c')), keyMark('k', 0), keyMark('k', 1)]).size).toBe(7);
});
