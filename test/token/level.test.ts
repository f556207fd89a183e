import { expect, test } from 'vitest';
import { type Level, requiredLevel } from '../../src/token/index.ts';

const policy = {
  minimumLevel: 'L2',
  minimumLevels: new Map<string, Level>([
    ['trade', 'L3'],
    ['note', 'L1'],
  ]),
} as const;

test.each<[Level | undefined, unknown, Level]>([
  [undefined, 'review', 'L2'],
  [undefined, 'trade', 'L3'],
  [undefined, 'note', 'L1'],
  [undefined, 7, 'L2'],
  [undefined, undefined, 'L2'],
  ['L1', 'review', 'L2'],
  ['L1', 'trade', 'L3'],
  ['L2', 'trade', 'L3'],
  ['L2', 'note', 'L2'],
  ['L3', 'note', 'L3'],
  ['L3', 'review', 'L3'],
  ['L2', 'review', 'L2'],
])('asked for %s, the task %s needs %s', (asked, action, level) => {
  expect(requiredLevel(policy, asked, action)).toBe(level);
});
