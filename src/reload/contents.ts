// The contents of files as comparable values: the bytes, or why there are none.

import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { readSmall } from '../files/bounded-read.ts';
import { type FileType, isFile, NOT_A_FILE } from '../files/file-type.ts';

/**
 * `code`: why the file cannot be read: the error code of the system (`ENOENT`), `ETOOLARGE` for a file that is too large, or `ENOTFILE`
 * for a path that is not a file.
 */
export type Content = { readonly bytes: Buffer } | { readonly code: string };

export function readContents(paths: readonly string[], type: FileType = 'file'): Promise<readonly Content[]> {
  return Promise.all(paths.map((path) => readContent(path, type)));
}

async function readContent(path: string, type: FileType): Promise<Content> {
  try {
    const found = await stat(path);
    // Checked before it is opened, because to open a FIFO without a writer blocks.
    if (!isFile(path, found, type)) return { code: NOT_A_FILE };
    await using file = await open(path);
    return { bytes: await readSmall(file) };
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? 'unknown' };
  }
}

/** Returns a digest that is equal only for equal contents. File times are not sufficient: a link may be changed to an older file. */
export function digestOf(contents: readonly Content[]): string {
  const hash = createHash('sha256');
  for (const content of contents) {
    const part = 'bytes' in content ? createHash('sha256').update(content.bytes).digest('hex') : content.code;
    hash.update(`${part}\n`);
  }
  return hash.digest('hex');
}

/** Whether a path is a pipe, a socket or a device, which can be read only once. */
export async function isStream(path: string): Promise<boolean> {
  try {
    const found = await stat(path);
    return !found.isFile() && !found.isDirectory();
  } catch {
    return false;
  }
}
