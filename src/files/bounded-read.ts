// Files that should be small, read up to a bound: what is at a path may be of gigabytes, or a pipe without an end.

import { closeSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { demandFile, type FileType } from './file-type.ts';

/** The `code` of an error for a file that is larger than MAX_SMALL_BYTES. */
export const TOO_LARGE = 'ETOOLARGE';

/** No key, no certificate bundle and no trust file is larger. */
export const MAX_SMALL_BYTES = 1 << 20;
const CHUNK_BYTES = 64 * 1024;

/** All of a file that should be small. Throws an error with the code TOO_LARGE where it is not, and what `demandFile` throws. */
export async function readSmallFile(path: string, type: FileType = 'file'): Promise<Buffer> {
  demandFile(path, type);
  await using file = await open(path, 'r');
  return await readSmall(file);
}

/** The same of a file that is open. What a pipe gives may have no end, and its size says nothing. */
export async function readSmall(file: FileHandle): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let left = MAX_SMALL_BYTES + 1; left > 0; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES)));
    if (bytesRead === 0) return Buffer.concat(chunks);
    chunks.push(buffer.subarray(0, bytesRead));
    left -= bytesRead;
  }
  throw Object.assign(new Error(), { code: TOO_LARGE });
}

/** The first `bytes` of a file, or all of one that has fewer. */
export function readStart(path: string, bytes: number): Buffer {
  demandFile(path);
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(bytes);
    return start.subarray(0, readSync(file, start, 0, bytes, 0));
  } finally {
    closeSync(file);
  }
}
