// The examples, judged by others: the library of Docker Compose, and the schemas of Kubernetes.

import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { BUILD_MS, runProgram } from '../interop/run-program.ts';
import { describeWhen, describeWith } from '../support/need.ts';
import { COMPOSE_FOLDER, compose } from './compose-file.ts';

const ROOT = join(import.meta.dirname, '../..');
const VALIDATE = join(ROOT, '.venv-examples/bin/kubernetes-validate');
/** Kubernetes releases: the oldest that knows all fields that are used, and the newest that the package knows. */
const RELEASES = ['1.30', '1.37'];

interface LoadedService {
  readonly environment: Readonly<Record<string, string>>;
  readonly replicas: number;
}

describeWith('go', 'examples/compose, loaded by the library of Docker Compose', () => {
  const load = (file: string) =>
    runProgram('go', ['run', '.', file], { cwd: join(import.meta.dirname, 'compose-go'), limitMs: BUILD_MS });

  test('S10 is valid, and means what the tests take it for', { timeout: BUILD_MS }, async () => {
    const { code, stdout, stderr } = await load(join(COMPOSE_FOLDER, 'compose.yaml'));
    // With an empty module cache the first run also says what it fetches.
    expect(stderr.replaceAll(/^go: downloading .*\n/gm, '')).toBe('');
    expect(code).toBe(0);
    const loaded = JSON.parse(stdout) as Readonly<Record<string, LoadedService>>;
    expect(Object.keys(loaded).sort()).toEqual(Object.keys(compose.services).sort());
    for (const [name, { environment = {}, deploy }] of Object.entries(compose.services)) {
      expect(loaded[name], name).toMatchObject({ environment, replicas: deploy?.replicas ?? 1 });
    }
  });

  test('a misspelled key is found', { timeout: BUILD_MS }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ect-compose-'));
    try {
      const text = await readFile(join(COMPOSE_FOLDER, 'compose.yaml'), 'utf8');
      const file = join(folder, 'compose.yaml');
      await writeFile(file, text.replace('stop_grace_period', 'stop_grace_periods'));
      const { code, stderr } = await load(file);
      expect(code).not.toBe(0);
      expect(stderr).toContain('stop_grace_periods');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describeWhen(
  existsSync(VALIDATE),
  'examples/kubernetes, held against the schemas of Kubernetes',
  'sh test/examples/setup.sh',
  () => {
    const validate = (release: string, ...files: readonly string[]) =>
      runProgram(VALIDATE, ['--strict', '--kubernetes-version', release, ...files], { limitMs: BUILD_MS });

    test.each(RELEASES)('S10 each manifest is valid in %s', async (release) => {
      const folder = join(ROOT, 'examples/kubernetes');
      const { resources } = parse(await readFile(join(folder, 'kustomization.yaml'), 'utf8')) as {
        readonly resources: readonly string[];
      };
      const { code, stdout, stderr } = await validate(release, ...resources.map((name) => join(folder, name)));
      expect(stdout + stderr).not.toMatch(/ERROR/);
      expect(code).toBe(0);
      for (const name of resources) expect(stdout + stderr).toContain(name);
    });

    test('a misspelled field is found', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'ect-kubernetes-'));
      try {
        const text = await readFile(join(ROOT, 'examples/kubernetes/deployment.yaml'), 'utf8');
        const file = join(folder, 'deployment.yaml');
        await writeFile(file, text.replace('readOnlyRootFilesystem', 'readOnlyRootFileSystem'));
        const { code, stdout, stderr } = await validate(RELEASES[0]!, file);
        expect(code).not.toBe(0);
        expect(stdout + stderr).toContain('readOnlyRootFileSystem');
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  },
);
