// A directory of the whole run, for data that several test files make only once. It is removed after the run.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAME = 'ECT_TEST_RUN_DIRECTORY';

/** Runs in the process that starts the workers, once for each project. The workers inherit the name. */
export default function makeRunDirectory(): (() => void) | undefined {
  if (process.env[NAME] !== undefined) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'ect-run-'));
  // For servers that run as another user.
  chmodSync(directory, 0o755);
  process.env[NAME] = directory;
  return () => {
    delete process.env[NAME];
    rmSync(directory, { recursive: true, force: true });
  };
}

export function runDirectory(): string {
  const directory = process.env[NAME];
  if (directory === undefined) throw new TypeError('test/support/run-directory.ts is not a globalSetup of this run');
  return directory;
}
