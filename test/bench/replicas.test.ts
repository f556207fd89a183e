import { describe, expect, test } from 'vitest';
import { costOfEntry, sumOf, watchCommits } from '../../bench/replicas.ts';
import type { Round } from '../../bench/report.ts';
import { inBatches, ROWS_A_COMMIT, type Row } from '../../bench/rivals/row-batches.ts';

const ROUND: Round = { units: 100, seconds: 1, cpuSeconds: 0.5, p50Ms: 1, p99Ms: 2, rssBytes: 3 };

describe('replicas in the benchmark', () => {
  test('a metric is summed over the replicas, and one that is missing is an error', () => {
    const page = (value: number) => `# HELP ect_x_sum y\nect_x_sum ${value}\nect_x_sum_other 7\n`;
    expect(sumOf([page(2), page(40)], 'ect_x_sum')).toBe(42);
    expect(() => sumOf([page(2)], 'ect_x')).toThrow('ect_x');
  });

  test('the cost of an entry is that of the replicas and that of the database, each a median', () => {
    const rounds = [1, 3, 2].map((factor) => ({ ...ROUND, cpuSeconds: factor, databaseCpuSeconds: factor / 10 }));
    expect(costOfEntry({ name: 'a', rounds })).toEqual({ replicas: 0.02, database: 0.002 });
    expect(costOfEntry({ name: 'a', rounds: [ROUND] }).database).toBeNaN();
  });

  test('without replicas nothing was committed together', async () => {
    const watched = watchCommits({ name: 'a', run: async () => ROUND }, []);
    expect(await watched.run(1)).toBe(ROUND);
    expect(watched.entriesPerCommit()).toBeNaN();
  });
});

describe('the rows of a rival', () => {
  const row: Row = { name: 'n', scope: '', leaf: Buffer.of(), salt: Buffer.of(), content: Buffer.of() };

  test('go into commits of 16, the last few into a smaller one, and are acknowledged when theirs is durable', async () => {
    const commits: { size: number; end: () => void }[] = [];
    const rows = inBatches((group) => new Promise((end) => void commits.push({ size: group.length, end })));
    const durable: number[] = [];
    for (let at = 0; at < 2 * ROWS_A_COMMIT + 3; at++) rows.add(row, () => durable.push(at));
    expect(commits.map(({ size }) => size)).toEqual([16, 16]);
    await expect.poll(() => commits.length).toBe(3);
    expect(commits[2]?.size).toBe(3);
    expect(durable).toEqual([]);
    commits[1]!.end();
    await expect.poll(() => durable).toEqual(Array.from({ length: 16 }, (_, at) => 16 + at));
  });

  test('are acknowledged immediately if a commit is synchronous', () => {
    let reported = 0;
    const rows = inBatches(() => undefined);
    for (let at = 0; at < ROWS_A_COMMIT; at++) rows.add(row, () => reported++);
    expect(reported).toBe(ROWS_A_COMMIT);
  });
});
