import { expect, test } from 'vitest';
import { TokenBucket } from '../../src/http2-server/token-bucket.ts';

const ALLOWANCE = { burst: 10, perSecond: 2 };

function spendMany(budget: TokenBucket, count: number, cost?: number): number {
  let afforded = 0;
  for (let at = 0; at < count; at++) if (budget.spend(cost)) afforded++;
  return afforded;
}

test('who spends the burst at once is out', () => {
  const budget = new TokenBucket(ALLOWANCE, () => 0);
  expect(spendMany(budget, 11)).toBe(10);
});

test('some things cost more than others', () => {
  const budget = new TokenBucket(ALLOWANCE, () => 0);
  expect(spendMany(budget, 10, 2)).toBe(5);
});

test('who spends no more than what is added each second never is out, who spends more is', () => {
  let time = 0;
  const slow = new TokenBucket(ALLOWANCE, () => time);
  for (let round = 0; round < 500; round++, time += 500) expect(slow.spend()).toBe(true);
  const fast = new TokenBucket(ALLOWANCE, () => time);
  let afforded = 0;
  for (; fast.spend(); time += 250) afforded++;
  expect(afforded).toBeLessThan(25);
});

test('what is earned can be spent, but no more than the burst is saved up', () => {
  let time = 0;
  const budget = new TokenBucket(ALLOWANCE, () => time);
  expect(spendMany(budget, 6)).toBe(6);
  budget.earn(1_000_000);
  time = 1_000_000;
  expect(spendMany(budget, 100)).toBe(10);
});
