// The data of a service, for tests of `ect config check`: copies with something done to them.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkConfig } from '../../src/maintenance/config-check.ts';
import { afterEachFile } from '../support/after-each-file.ts';

/** A folder that goes when the tests of the file are over. */
export async function checkFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ect-config-check-'));
  afterEachFile(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function problemsOf(env: Readonly<Record<string, string>>): Promise<readonly string[]> {
  return (await checkConfig(env, { callKms: false })).problems;
}

/** A copy of a data directory, with something done to it. */
export async function changedCopy(
  dataDir: string,
  path: string,
  change: (path: string) => Promise<unknown>,
): Promise<string> {
  await cp(dataDir, path, { recursive: true });
  await change(path);
  return path;
}
