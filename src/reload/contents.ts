// What files hold at one moment, as values that can be compared: bytes, or why there are none.

import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';

/** `code`: why the file cannot be read, as the system says it (`ENOENT`); `EFBIG` for a file that is too large. */
export type Content = { readonly bytes: Buffer } | { readonly code: string };

/** No certificate bundle and no trust file is larger. */
const MAX_FILE_BYTES = 1 << 20;

export function readContents(paths: readonly string[]): Promise<readonly Content[]> {
  return Promise.all(paths.map(readContent));
}

async function readContent(path: string): Promise<Content> {
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) return { code: 'EFBIG' };
    return { bytes: await readFile(path) };
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? 'unknown' };
  }
}

/** Equal for equal contents, and for nothing else. Times of files say less: a link may be pointed to an older file. */
export function digestOf(contents: readonly Content[]): string {
  const hash = createHash('sha256');
  for (const content of contents) {
    const part = 'bytes' in content ? createHash('sha256').update(content.bytes).digest('hex') : content.code;
    hash.update(`${part}\n`);
  }
  return hash.digest('hex');
}

/** Whether a path is a pipe, a socket or a device, which gives its bytes once. */
export async function isStream(path: string): Promise<boolean> {
  try {
    const found = await stat(path);
    return !found.isFile() && !found.isDirectory();
  } catch {
    return false;
  }
}
