// What a unit of cost is taken to compute follows the last turns, within bounds.

import { expect, test } from 'vitest';
import { CostEstimate } from '../../src/limits/cost-estimate.ts';

function learned(...turns: readonly (readonly [cost: number, ms: number])[]): number {
  const estimate = new CostEstimate();
  for (const [cost, ms] of turns) estimate.learn(cost, ms);
  return estimate.ms(1);
}

const turns = (count: number, cost: number, ms: number) => Array.from({ length: count }, () => [cost, ms] as const);

test('starts with 0.1 ms for each unit of cost', () => {
  expect(learned()).toBe(0.1);
});

test.each([
  ['0.04 ms each', turns(60, 50, 2), 0.04],
  ['0.1 ms each', turns(60, 20, 2), 0.1],
  ['what calls of earlier turns compute counts', [...turns(30, 10, 0), ...turns(60, 10, 1)], 0.1],
] as const)('H17: the last turns show it: %s', (_, given, ms) => {
  expect(learned(...given)).toBeCloseTo(ms, 3);
});

test.each([
  ['calls that compute nothing', turns(1000, 100, 0), 0.02],
  ['calls that understate their cost', turns(1000, 1, 50), 0.2],
  ['turns that begin none', turns(1000, 0, 2), 0.2],
  ['turns that begin none and take no time', turns(100_000, 0, 0), 0.1],
] as const)('H17: stays between 0.02 and 0.2 ms: %s', (_, given, ms) => {
  expect(learned(...given)).toBe(ms);
});

test('one long turn among many short ones does not decide', () => {
  expect(learned(...turns(60, 50, 2), [50, 12])).toBeLessThan(0.07);
});
