// `npm run release` in a clone of this repository: what it makes, what it rejects, and what it leaves behind.

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** A release compiles: on a busy machine that takes minutes. */
const RELEASE_MS = 900_000;
const VERSION = '999.1.2';
const FILES = [
  'SHA256SUMS',
  `ect-authority-${VERSION}.binpb`,
  `ect-authority-${VERSION}.cdx.json`,
  `ect-authority-${VERSION}.tgz`,
];

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'ect-release-test-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const clone = join(scratch, 'clone');
const out = join(scratch, 'out');
const { PATH, HOME } = process.env;
const person = { GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.com' };
const committer = { GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@example.com' };
// Where a Docker is, it would build an image: there it does not answer.
const env = { PATH, HOME, ...person, ...committer, DOCKER_HOST: `unix://${scratch}/none` };

const git = async (...args: readonly string[]) => (await run('git', args, { cwd: clone, env })).stdout.trim();
const release = (...args: readonly string[]) =>
  run('npm', ['run', '--silent', 'release', '--', ...args, '--out', out], { cwd: clone, env });

beforeAll(async () => {
  await run('git', ['clone', '--quiet', root, clone], { env });
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
  const changelog = join(clone, 'CHANGELOG.md');
  const text = readFileSync(changelog, 'utf8');
  writeFileSync(changelog, text.replace(/\n## .+\n/, '\n## Unreleased\n'));
  await git('commit', '--quiet', '--all', '--allow-empty', '--message', 'a change');
});

describe('npm run release', () => {
  test('--dry-run makes the files of the release, and neither a commit nor a tag', {
    timeout: RELEASE_MS,
  }, async () => {
    const before = await git('rev-parse', 'HEAD');
    const { stdout } = await release(VERSION, '--dry-run');
    expect(stdout).toContain('No image was built: docker does not answer here.');
    expect(stdout).toContain('A dry run');
    expect(readdirSync(out).toSorted()).toEqual(FILES);
    expect(await git('rev-parse', 'HEAD')).toBe(before);
    expect(await git('status', '--porcelain')).toBe('');
    expect(await git('tag', '--list', `v${VERSION}`)).toBe('');
  });

  test('the package has the version, and the checksums are those of the files', async () => {
    const packed = await run('tar', ['-xzOf', join(out, `ect-authority-${VERSION}.tgz`), 'package/package.json']);
    expect(JSON.parse(packed.stdout)).toMatchObject({ name: 'ect-authority', version: VERSION });
    await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: out });
    const sums = readFileSync(join(out, 'SHA256SUMS'), 'utf8').trim().split('\n');
    expect(sums.map((line) => line.split('  ')[1])).toEqual(FILES.slice(1));
  });

  test('the SBOM names what the package needs at run time in CycloneDX, and nothing for development', () => {
    const sbom = JSON.parse(readFileSync(join(out, `ect-authority-${VERSION}.cdx.json`), 'utf8'));
    expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { version: VERSION } } });
    const named = (sbom.components as { purl: string }[]).map(({ purl }) => decodeURIComponent(purl));
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
    const needed = Object.entries<{ version: string; dev?: boolean; devOptional?: boolean; link?: boolean }>(packages)
      .filter(
        ([path, { dev, devOptional, link }]) => path !== '' && dev !== true && devOptional !== true && link !== true,
      )
      .map(([path, { version }]) => `pkg:npm/${path.replace(/^.*node_modules\//, '')}@${version}`);
    expect(named.toSorted()).toEqual([...new Set(needed)].toSorted());
  });

  test('is one commit, with the changelog and the descriptor image of the API, and its tag', {
    timeout: RELEASE_MS,
  }, async () => {
    const before = await git('rev-parse', 'HEAD');
    await release(VERSION);
    expect(await git('rev-parse', 'HEAD~1')).toBe(before);
    expect(await git('rev-parse', `v${VERSION}^{commit}`)).toBe(await git('rev-parse', 'HEAD'));
    expect(await git('status', '--porcelain')).toBe('');
    expect(readFileSync(join(clone, 'CHANGELOG.md'), 'utf8')).toMatch(
      new RegExp(`^## ${VERSION} \\(\\d{4}-\\d\\d-\\d\\d\\)$`, 'm'),
    );
    const image = readFileSync(join(clone, 'proto/last-release.binpb'));
    expect(readFileSync(join(out, `ect-authority-${VERSION}.binpb`)).equals(image)).toBe(true);
  });

  test('rejects a version that is released already, changes that are not committed, and what is no version', async () => {
    await expect(release(VERSION)).rejects.toMatchObject({ stderr: expect.stringContaining('a release is made once') });
    await expect(release('1.0')).rejects.toMatchObject({ stderr: expect.stringContaining('Say which version') });
    writeFileSync(join(clone, 'left-over'), '');
    await expect(release('999.2.0')).rejects.toMatchObject({ stderr: expect.stringContaining('not committed') });
  });
});
