// A folder of its own for a test's files.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Folder {
  /** Path of a file in the folder. */
  file(name: string): string;
  remove(): Promise<void>;
}

export async function makeFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'ect-stores-'));
  return { file: (name) => join(path, name), remove: () => rm(path, { recursive: true, force: true }) };
}
