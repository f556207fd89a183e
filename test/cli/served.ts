// A real service in a process of its own for the commands of one test file, and a directory for their files.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { ect } from './run.ts';

export const ISSUER = 'urn:ect:dev';

export let service: ServiceProcess;
export let directory = '';
export let at: readonly string[] = [];

beforeAll(async () => {
  service = await startService({ ECT_ADMINS: 'anonymous' });
  directory = await mkdtemp(join(tmpdir(), 'ect-cli-'));
  at = ['--url', service.url];
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

export async function file(name: string, content: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

/** Issues a token with these further options and answers it. */
export async function issue(...options: string[]): Promise<string> {
  const { code, out, err } = await ect(['issue', '--exec-act', 'review_spec', '--aud', ISSUER, ...options, ...at]);
  expect(err).toContain('✓ issued');
  expect(code).toBe(0);
  return out.trim();
}
