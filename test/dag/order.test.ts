import { expect, test } from 'vitest';
import { createYielder } from '../../src/concurrency/yielder.ts';
import { bundleAncestry, type Task } from '../../src/dag/index.ts';
import { orderTasks } from '../../src/dag/order.ts';
import { walkAncestors } from '../../src/dag/walk.ts';
import { chain, task } from './graphs.ts';

async function orderOf(tasks: readonly Task[]) {
  const graph = await walkAncestors(tasks, bundleAncestry([]), 10, createYielder());
  const { order, circles } = await orderTasks(graph, createYielder());
  const name = (position: number) => tasks[position]!.jti;
  return { order: [...order].map(name), circles: circles.map((circle) => circle.map(name)) };
}

test('predecessors come first, whatever the order in which tasks were handed in', async () => {
  const tasks = [task('d', ['b', 'c']), task('b', ['a']), task('a'), task('c', ['a'])];
  expect(await orderOf(tasks)).toEqual({ order: ['a', 'b', 'c', 'd'], circles: [] });
});

test('a task that was met as a predecessor takes no second place', async () => {
  const tasks = [task('b', ['a']), task('a'), task('c')];
  expect(await orderOf(tasks)).toEqual({ order: ['a', 'b', 'c'], circles: [] });
});

test('each circle is found with all its tasks and no others', async () => {
  const tasks = [
    task('below', ['a']),
    task('a', ['b']),
    task('b', ['c', 'above']),
    task('c', ['a']),
    task('above', ['y']),
    task('x', ['y']),
    task('y', ['x']),
    task('self', ['self', 'nowhere']),
  ];
  expect((await orderOf(tasks)).circles).toEqual([['a', 'b', 'c'], ['x', 'y'], ['self']]);
});

test('a circle of 10,000 tasks needs no call stack (R9)', async () => {
  const [first, ...others] = chain(10_000);
  const { circles } = await orderOf([{ ...first!, pred: ['c9999'] }, ...others]);
  expect(circles.map((circle) => circle.length)).toEqual([10_000]);
});
