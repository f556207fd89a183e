// A release has one version, written in several files; `npm run release` sets it.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { datedChangelog, setVersion } from '../../scripts/release/version.ts';
import { VERSION } from '../../src/version.ts';

const root = join(import.meta.dirname, '../..');
const copy = mkdtempSync(join(tmpdir(), 'ect-version-'));
afterAll(() => rmSync(copy, { recursive: true }));

const FILES = [
  'package.json',
  'package-lock.json',
  'Dockerfile',
  'deploy/kubernetes/ect-authority.yaml',
  'examples/kubernetes/database-init.yaml',
  'examples/kubernetes/deployment.yaml',
  'examples/kubernetes/kustomization.yaml',
  'scripts/api-answers.json',
];

test('every file that says the version says that of package.json, and a release changes nothing else in it', () => {
  const textsIn = (folder: string) => FILES.map((file) => readFileSync(join(folder, file), 'utf8'));
  for (const file of FILES) cpSync(join(root, file), join(copy, file));
  const changelog = join(copy, 'CHANGELOG.md');

  writeFileSync(changelog, '# Changelog\n\n## Unreleased\n');
  setVersion(copy, VERSION, '2026-01-02');
  expect(textsIn(copy)).toEqual(textsIn(root));
  expect(readFileSync(changelog, 'utf8')).toBe(`# Changelog\n\n## ${VERSION} (2026-01-02)\n`);

  writeFileSync(changelog, '# Changelog\n\n## Unreleased\n');
  setVersion(copy, '999.1.2', '2026-01-02');
  for (const text of textsIn(copy)) expect(text).toContain('999.1.2');
});

describe('the changelog', () => {
  test('what was unreleased gets the number and the date of the release', () => {
    const text = '# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.2.0 (2026-11-30)\n';
    expect(datedChangelog(text, '0.3.0', '2027-01-02')).toBe(
      '# Changelog\n\n## 0.3.0 (2027-01-02)\n\n- New.\n\n## 0.2.0 (2026-11-30)\n',
    );
  });

  test('a section that was written under its number before the release stays as it is', () => {
    const text = '# Changelog\n\n## 0.2.0 (2026-11-30)\n\n- New.\n';
    expect(datedChangelog(text, '0.2.0', '2027-01-02')).toBe(text);
  });

  test('a release of nothing, and one that would leave out what is unreleased, are rejected', () => {
    const released = '# Changelog\n\n## 0.2.0 (2026-11-30)\n';
    expect(() => datedChangelog(released, '0.3.0', '2027-01-02')).toThrow('nothing is unreleased');
    const both = `# Changelog\n\n## Unreleased\n\n${released}`;
    expect(() => datedChangelog(both, '0.2.0', '2027-01-02')).toThrow('there are unreleased changes');
  });
});
