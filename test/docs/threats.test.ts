// The page of threats and the tests say the same: what it calls covered is claimed by a test, and nothing is left out.

import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { REASONS } from '../../src/errors.ts';
import { titlesIn } from '../support/titles.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/threats.md'), 'utf8');

/** Ids stand anywhere in a title. L1, L2 and L3 are levels of tokens too: these count in front of a text only. */
const ID = /\b[ACDHKLRST][1-9][0-9]?\b/g;
const IN_FRONT = /^([A-Z][1-9][0-9]?(?:,? [A-Z][1-9][0-9]?)*):? \S/;
const LEVELS = ['L1', 'L2', 'L3'];

function idsIn(title: string): readonly string[] {
  const inFront: readonly string[] = IN_FRONT.exec(title)?.[1]?.match(ID) ?? [];
  return (title.match(ID) ?? []).filter((id) => !LEVELS.includes(id) || inFront.includes(id));
}

/** Which files claim an id in a title. Contracts are suites that the tests of each adapter run. */
const claims = new Map<string, Set<string>>();
for (const path of globSync(['test/**/*.test.ts', 'test/contracts/*.ts'], { cwd: root })) {
  for (const id of titlesIn(path).flatMap(idsIn)) claims.set(id, (claims.get(id) ?? new Set()).add(path));
}

/** The rows of the tables of one chapter, cell by cell. */
function rowsOf(chapter: string): readonly (readonly string[])[] {
  const text = page.split(/^## /m).find((part) => part.startsWith(`${chapter}\n`)) ?? '';
  const lines = text.split('\n').filter((line) => /^\| [A-Z][0-9]+ \|/.test(line));
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

const covered = rowsOf('Covered').map(([id = '', threat = '', outcome = '', files = '']) => ({
  id,
  threat,
  outcome,
  files: [...files.matchAll(/`([^`]+)`/g)].map(([, name]) => `test/${name}`),
}));
const coveredIds = covered.map(({ id }) => id);
const inPart = rowsOf('Covered in part');
const missing = rowsOf('Not covered yet');

describe.each(covered)('$id', ({ id, threat, outcome, files }) => {
  test('says the threat, what happens and where that is tested', () => {
    expect(threat).not.toBe('');
    expect(outcome).not.toBe('');
    expect(files.length).toBeGreaterThan(0);
  });

  test('is in a title of each file that is named', () => {
    for (const path of files) {
      expect(existsSync(join(root, path)), path).toBe(true);
      expect([...(claims.get(id) ?? [])], path).toContain(path);
    }
  });
});

test('every id in a title of a test is covered, and no other', () => {
  expect(coveredIds.toSorted()).toEqual([...claims.keys()].toSorted());
});

test('no id has two rows', () => {
  const ids = [...coveredIds, ...missing.map(([id]) => id)];
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  expect(missing.length).toBeGreaterThan(0);
});

test('what is covered in part is covered, and says what is missing', () => {
  for (const [id = '', gap] of inPart) {
    expect(coveredIds).toContain(id);
    expect(gap, id).not.toBe('');
  }
});

test('every reason is one of the vocabulary', () => {
  const named = [...page.matchAll(/`([A-Z][A-Z_]+)(?:=yes)?`/g)].map(([, name]) => name ?? '');
  const settings = named.filter((name) => name.startsWith('ECT_'));
  expect(named.length).toBeGreaterThan(settings.length);
  for (const reason of named.filter((name) => !settings.includes(name))) expect(REASONS).toHaveProperty(reason);
});

test.each([
  ['T1, T2: the table has no row', ['T1', 'T2']],
  ['L1 L11 R8 1,000 appends', ['L1', 'L11', 'R8']],
  ['a circle is rejected (R9, H18)', ['R9', 'H18']],
  ['it goes on, and R8 remembers', ['R8']],
  ['L3', []],
  ['a token of level L3 arrives', []],
  ['x5t#S256 and ES256 over HTTP/2', []],
])('ids are read from "%s"', (title, ids) => {
  expect(idsIn(title)).toEqual(ids);
});
