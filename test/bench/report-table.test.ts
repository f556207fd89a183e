import { describe, expect, test } from 'vitest';
import { type Goal, holds } from '../../bench/report.ts';
import { alignColumns, measured, renderTable } from '../../bench/report-table.ts';
import { REPORT } from './example-report.ts';

const GOAL: Goal = { text: 'ratio', value: 1.1, limit: 1.1, kind: 'at least', unit: '×' };

describe('goals', () => {
  test('a goal that is met exactly holds', () => {
    expect(holds(GOAL)).toBe(true);
    expect(holds({ ...GOAL, value: 1.099 })).toBe(false);
    expect(holds({ ...GOAL, kind: 'at most', value: 1.101 })).toBe(false);
  });

  test('what was not measured does not hold', () => {
    expect(holds({ ...GOAL, value: undefined })).toBe(false);
    expect(holds({ ...GOAL, value: Number.NaN, kind: 'at most' })).toBe(false);
    expect(measured({ ...GOAL, value: undefined })).toBe('none');
  });
});

describe('the table', () => {
  const table = renderTable(REPORT);
  const lineOf = (text: string | RegExp) => table.split('\n').find((line) => line.search(text) >= 0);

  test('has a line a side with the medians, and the ratio in the line of the rival', () => {
    expect(lineOf('bare')).toMatch(/^Issue +bare +1,000 +2,000 +1\.50 +12\.3 +100 +1\.25 × +≥ 1\.1 × +yes$/);
    expect(lineOf(/^ +ours /)).toMatch(/ours +1,250 +2,500 /);
  });

  test('shows a goal that is missed as NO', () => {
    expect(lineOf('p99 at half load')).toMatch(/350 ms +≤ 50 ms +NO$/);
  });

  test('says what was skipped and why', () => {
    expect(lineOf('Two workers')).toContain('skipped');
    expect(table).toContain('workers: Skipped: not built.');
  });

  test('names the machine and its load before and after', () => {
    expect(table).toContain('Test CPU, 2 cores, 24 GiB');
    expect(table).toContain('load average 0.50 before, 1.25 after');
  });

  test('says how near our own generator came to its limit', () => {
    expect(table).toContain('our own load generator kept its core at most 62 % busy');
  });

  test('columns are as wide as their widest cell', () => {
    expect(
      alignColumns([
        ['a', 'bb', '1'],
        ['ccc', 'd', '22'],
      ]),
    ).toEqual(['a    bb   1', 'ccc  d   22']);
  });
});
