import { describe, expect, test } from 'vitest';
import type { Round } from '../../bench/report.ts';
import { cpuRatio, interleave, mediansOf, orderOf, pairedCost } from '../../bench/signature-batches.ts';

const ROUND: Round = { units: 100, seconds: 1, cpuSeconds: 0.5, p50Ms: 1, p99Ms: 2, rssBytes: 3 };

describe('rounds', () => {
  test('begin with another side each time, so that no side is always first, nor always after the same', () => {
    expect([0, 1, 2, 3, 4].map((round) => orderOf(3, round))).toEqual([
      [0, 1, 2],
      [1, 2, 0],
      [1, 0, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]);
    const first = [0, 1, 2, 3].map((round) => orderOf(2, round)[0]);
    expect(first.toSorted((one, other) => one! - other!)).toEqual([0, 0, 1, 1]);
  });

  test('a paired cost is taken within each round: a machine that gets slower between rounds changes nothing', () => {
    const speeds = (...units: number[]) => units.map((count) => ({ ...ROUND, units: count }));
    const sides = [
      { name: 'after many', rounds: speeds(100, 50, 10) },
      { name: 'after few', rounds: speeds(200, 100, 30) },
    ];
    expect(pairedCost(sides, 'after many', 'after few')).toBe(2);
  });

  test('are interleaved after a warm-up that is not counted', async () => {
    const order: string[] = [];
    const contender = (name: string) => ({
      name,
      run: async (seconds: number) => {
        order.push(`${name}${seconds}`);
        return ROUND;
      },
    });
    const sides = await interleave([contender('a'), contender('b')], { rounds: 2, seconds: 3, warmUpSeconds: 1 });
    expect(order).toEqual(['a0', 'a1', 'b0', 'b1', 'a3', 'b3', 'b3', 'a3']);
    expect(sides.map(({ name, rounds }) => [name, rounds.length])).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
  });

  test('speeds are medians over rounds, by the clock and by CPU time', () => {
    const rounds = [ROUND, { ...ROUND, units: 300 }, { ...ROUND, units: 200 }];
    expect(mediansOf({ name: 'a', rounds })).toEqual({
      perSecond: 200,
      perCpuSecond: 400,
      p50Ms: 1,
      p99Ms: 2,
      rssBytes: 3,
    });
  });

  test('a ratio is of CPU time: a server that waits is not slow', () => {
    const sides = [
      { name: 'ours', rounds: [{ ...ROUND, seconds: 10, cpuSeconds: 0.25 }] },
      { name: 'rival', rounds: [ROUND] },
    ];
    expect(cpuRatio(sides, 'ours', 'rival')).toBe(2);
    expect(() => cpuRatio(sides, 'ours', 'nobody')).toThrow(TypeError);
  });
});
