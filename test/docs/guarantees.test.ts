// The page of guarantees and the tests say the same: each promise is one sentence, names tests that are there, and has its limits.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { titlesIn } from '../support/titles.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/guarantees.md'), 'utf8');

/** What an operator, a caller or an auditor relies on. */
const AREAS = ['Tokens', 'Graph', 'Ledger', 'Keys', 'Time', 'Disk', 'Stop', 'Limits'];

interface Named {
  readonly file: string;
  readonly title: string;
}

/** `file` *title*, *title*; `file` *title* */
function testsIn(cell: string): readonly Named[] {
  return cell.split('; `').flatMap((part, number) => {
    const [, file = '', titles = ''] = /^`?([^`]+)` (.+)$/.exec(number === 0 ? part : `\`${part}`) ?? [];
    return titles
      .split(/(?<=\*), (?=\*)/)
      .map((title) => ({ file: `test/${file}`, title: /^\*(.+)\*$/.exec(title)?.[1] ?? '' }));
  });
}

const areas = page
  .split(/^## /m)
  .slice(1)
  .map((chapter) => {
    const [area = '', ...lines] = chapter.split('\n');
    const rows = lines.filter((line) => line.startsWith('| ') && !line.startsWith('| promise |'));
    return { area, rows: rows.map((row) => row.slice(2, -2).split(' | ')) };
  });
const promises = areas.flatMap(({ rows }) =>
  rows.map(([promise = '', tests = '', limits = '', ...more]) => ({ promise, tests: testsIn(tests), limits, more })),
);

/** A title as the page can have it: the source may spell quotes otherwise. */
const plain = (title: string) => title.replaceAll(/\\(['`])/g, '$1');

test('each area has promises', () => {
  expect(areas.map(({ area }) => area)).toEqual(AREAS);
  for (const { area, rows } of areas) expect(rows.length, area).toBeGreaterThan(0);
});

test('README and threats lead to each other and to this page', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('docs/guarantees.md');
  expect(page).toContain('threats.md');
});

describe.each(promises)('$promise', ({ promise, tests, limits, more }) => {
  test('is one sentence, with its limits', () => {
    expect(promise).toMatch(/^[A-Z][^.]*[^. ]\.$/);
    expect(limits).not.toBe('');
    expect(more).toEqual([]);
  });

  test('names tests that are there', () => {
    expect(tests.length).toBeGreaterThan(0);
    for (const { file, title } of tests) {
      expect(existsSync(join(root, file)), file).toBe(true);
      expect(titlesIn(file).map(plain), file).toContain(title);
    }
  });
});
