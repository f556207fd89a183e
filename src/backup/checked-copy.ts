// Copies a file of a backup to the disk, and checks it against its checksum.

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { demandFile } from '../files/file-type.ts';
import { fileFault } from '../files/system-faults.ts';

const CHUNK_BYTES = 1024 * 1024;

/** The expected size and checksum of a file. */
export interface Expected {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/** Copies `from` to the new file `to` (mode 0600). Returns undefined, or what is wrong with `from`. Throws if `to` cannot be written. */
export async function copyChecked(from: string, to: string, { bytes, sha256 }: Expected): Promise<string | undefined> {
  let source: FileHandle;
  try {
    demandFile(from);
    source = await open(from, 'r');
  } catch (error) {
    return fileFault(from, error);
  }
  try {
    const { size } = await source.stat();
    if (size !== bytes) return `it has ${size} bytes, not ${bytes}`;
    await using target = await open(to, 'wx', 0o600);
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const part = await readPart(source, chunk);
      if (part === undefined) return 'the disk does not give it back';
      if (part.length === 0) break;
      hash.update(part);
      await target.writeFile(part);
    }
    await target.sync();
    return hash.digest('hex') === sha256 ? undefined : 'its checksum is another one';
  } finally {
    await source.close();
  }
}

/** Returns the next part, which is empty at the end; undefined if reading fails. */
async function readPart(source: FileHandle, chunk: Buffer): Promise<Buffer | undefined> {
  try {
    const { bytesRead } = await source.read(chunk, 0, CHUNK_BYTES, null);
    return chunk.subarray(0, bytesRead);
  } catch {
    return undefined;
  }
}
