import { expect, test } from 'vitest';
import { createYielder } from '../../src/concurrency/yielder.ts';
import { bundleAncestry, MAX_ANCESTORS, type Task } from '../../src/dag/index.ts';
import { walkAncestors } from '../../src/dag/walk.ts';
import { MAX_LOOKUP_NAMES } from '../../src/ledger/index.ts';
import { chain, lastLayer, layers, named, recording, task } from './graphs.ts';

async function walk(seeds: readonly Task[], others: readonly Task[], maxAncestors = MAX_ANCESTORS) {
  const { ancestry, calls } = recording(bundleAncestry(others));
  return { graph: await walkAncestors(seeds, ancestry, maxAncestors, createYielder()), calls };
}

test('a root asks nothing', async () => {
  const { graph, calls } = await walk([task('a')], []);
  expect(calls).toEqual([]);
  expect(graph).toMatchObject({ tasks: [task('a')], unresolved: [], cut: false });
});

test('one look-up a level, each name once, although every task of a level names it (R10)', async () => {
  const { graph, calls } = await walk([task('own', lastLayer(20, 30))], layers(20, 30));
  expect(calls).toHaveLength(20);
  expect(calls.flatMap(({ jtis }) => jtis)).toHaveLength(600);
  expect(graph.tasks).toHaveLength(601);
  expect(graph.targets).toHaveLength(30 + 19 * 30 * 30);
});

test('names are looked up from the workflow of the task that uses them', async () => {
  const others = [task('b', ['c']), task('c', [], { iat: 1 }), task('c', [], { wid: 'w1', iat: 2 })];
  const { graph, calls } = await walk([task('a', ['b', 'c'], { wid: 'w1' })], others);
  expect(calls).toEqual([
    { jtis: ['b', 'c'], wid: 'w1' },
    { jtis: ['c'], wid: '' },
  ]);
  expect(graph.tasks.map(({ iat }) => iat)).toEqual([1000, 1000, 2, 1]);
  expect([...graph.targets]).toEqual([1, 2, 3]);
});

test('a name of a task without workflow is looked up once for each workflow that uses it, on whatever level', async () => {
  const others = [task('root'), task('b', ['root'], { wid: 'w1' }), task('c', ['b', 'root'], { wid: 'w1' })];
  const { graph, calls } = await walk([task('d', ['c', 'root'], { wid: 'w1' })], others);
  expect(calls.map(({ jtis }) => jtis)).toEqual([['c', 'root'], ['b']]);
  expect(graph.tasks).toHaveLength(4);
});

test('a level that names more than a look-up holds takes several, and the answer is the same', async () => {
  const wide = Array.from({ length: 150 }, (_, at) =>
    task(
      `wide${at}`,
      Array.from({ length: 100 }, (_, nth) => `far${at}-${nth}`),
    ),
  );
  const far = wide.flatMap(({ pred }) => pred.map((jti) => task(jti)));
  const { graph, calls } = await walk(wide, far, 15_000);
  const sizes = calls.map(({ jtis }) => jtis.length);
  expect(sizes).toHaveLength(150);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_LOOKUP_NAMES);
  expect(graph).toMatchObject({ cut: false, unresolved: [] });
  expect(graph.tasks).toHaveLength(15_150);
  expect(graph.targets.slice(0, 15_000).every((target) => target >= 150)).toBe(true);
});

test('a recorded link leads where it led when it was recorded, whatever has taken the name since', async () => {
  const others = [
    task('b', ['c', 'd'], { wid: 'w1', predWids: ['', 'w1'] }),
    task('c', [], { wid: 'w1', iat: 1 }),
    task('c', [], { iat: 2 }),
    task('d', [], { wid: 'w1', iat: 3 }),
  ];
  const { graph, calls } = await walk([task('a', ['b', 'c'], { wid: 'w1' })], others);
  expect(graph.tasks.map(({ iat }) => iat)).toEqual([1000, 1000, 1, 2, 3]);
  expect([...graph.targets]).toEqual([1, 2, 3, 4]);
  expect(calls.map(({ jtis, wid }) => [wid, ...jtis])).toEqual([
    ['w1', 'b', 'c'],
    ['', 'c'],
    ['w1', 'd'],
  ]);
});

test('a task that was handed in is found by name as if it were recorded', async () => {
  const { graph } = await walk([task('a', ['b'], { wid: 'w1' })], [task('b', ['a'], { wid: 'w1' })]);
  expect([...graph.targets]).toEqual([1, 0]);
});

test('the walk ends at the limit: no more is looked up', async () => {
  const { graph, calls } = await walk([task('own', ['c99'])], chain(100), 10);
  expect(graph.cut).toBe(true);
  expect(graph.tasks).toHaveLength(11);
  expect(calls).toHaveLength(11);
});

test('other workflows of the same level are not asked once the limit is met', async () => {
  const others = [task('b', ['x', 'y'], { wid: 'w1' }), task('c', ['z'], { wid: 'w2' })];
  const { graph, calls } = await walk([task('a', ['b', 'c'])], others, 2);
  expect(graph.cut).toBe(true);
  expect(calls.map(({ wid }) => wid)).toEqual(['', 'w1']);
});

test('a predecessor that is found nowhere counts as an ancestor', async () => {
  expect((await walk([task('a', ['x', 'y'])], [], 2)).graph).toMatchObject({ cut: false, unresolved: named('x', 'y') });
  expect((await walk([task('a', ['x', 'y', 'z'])], [], 2)).graph.cut).toBe(true);
});

test('a predecessor that is found nowhere counts once for each workflow inside which it is named', async () => {
  const others = [task('b', ['x'], { wid: 'w1' }), task('d', ['x'], { wid: 'w1' }), task('c', ['x'], { wid: 'w2' })];
  const own = task('a', ['b', 'c', 'd']);
  const { graph } = await walk([own], others, 5);
  expect(graph.cut).toBe(false);
  expect(graph.unresolved).toEqual([
    { wid: 'w1', jti: 'x' },
    { wid: 'w2', jti: 'x' },
  ]);
  expect((await walk([own], others, 4)).graph.cut).toBe(true);
});

test('given tasks are walked in any case; an ancestor at which the walk stops by request is visited and not walked', async () => {
  const others = [task('b', ['c'], { depth: 2 }), task('c')];
  const seeds = [task('a', ['b'], { depth: 3 })];
  const stopsAt = ({ depth }: Task) => depth !== undefined;
  const graph = await walkAncestors(seeds, bundleAncestry(others), 10, createYielder(), stopsAt);
  expect(graph.tasks.map(({ jti }) => jti)).toEqual(['a', 'b']);
  expect(graph.stops).toEqual([1]);
});

test('a failure of the ancestry is passed on as it is', async () => {
  const failure = new Error('storage');
  const ancestry = { find: () => Promise.reject(failure) };
  await expect(walkAncestors([task('a', ['b'])], ancestry, 10, createYielder())).rejects.toBe(failure);
});
