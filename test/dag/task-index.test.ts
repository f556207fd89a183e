import { expect, test } from 'vitest';
import { indexTasks } from '../../src/dag/task-index.ts';
import { task } from './graphs.ts';

test('a name means the task of the same workflow, else the one without, else the first of any other', () => {
  const tasks = [task('a', [], { wid: 'w2' }), task('a', [], { wid: 'w3' }), task('b', [], { wid: 'w1' })];
  const index = indexTasks(tasks);
  expect(index.find('a', 'w1')).toBe(0);
  index.add(task('a'));
  expect(index.find('a', 'w1')).toBe(3);
  index.add(task('a', [], { wid: 'w1' }));
  expect(index.find('a', 'w1')).toBe(4);
  expect(index.find('a', '')).toBe(3);
  expect(index.find('c', 'w1')).toBeUndefined();
});

test('the first task under a name keeps it', () => {
  const first = task('a', ['b']);
  const index = indexTasks([first]);
  expect(index.add(task('a', ['c']))).toBe(0);
  expect(index.tasks).toEqual([first]);
});

test('names that objects have by birth are plain names', () => {
  const index = indexTasks([task('__proto__', ['constructor'], { wid: 'toString' })]);
  expect(index.find('__proto__', 'toString')).toBe(0);
  expect(index.find('constructor', 'toString')).toBeUndefined();
});
