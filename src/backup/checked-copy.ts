// Copies a file of a backup, and answers whether it is what was backed up. The copy is on the disk then.

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { demandFile } from '../file-type.ts';

const CHUNK_BYTES = 1024 * 1024;

/** What a file must be. */
export interface Expected {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/** Copies `from` to the new file `to` (mode 0600). Undefined, or what is wrong with what was read. */
export async function copyChecked(from: string, to: string, { bytes, sha256 }: Expected): Promise<string | undefined> {
  demandFile(from);
  await using source = await open(from, 'r');
  const { size } = await source.stat();
  if (size !== bytes) return `it has ${size} bytes, not ${bytes}`;
  await using target = await open(to, 'wx', 0o600);
  const found = await copyAndHash(source, target);
  await target.sync();
  return found === sha256 ? undefined : 'its checksum is another one';
}

async function copyAndHash(source: FileHandle, target: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await source.read(chunk, 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return hash.digest('hex');
    const part = chunk.subarray(0, bytesRead);
    hash.update(part);
    await target.writeFile(part);
  }
}
