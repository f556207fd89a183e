// Returns the bytes of a file that a setting names, from the contents of its group.

import { StartError } from '../data-directory/data-dir.ts';
import { fileFault } from '../files/system-faults.ts';
import type { Content } from '../reload/index.ts';

/** Throws StartError if the file could not be read; it names the setting, the path and the fault. */
export function bytesOf(setting: string, path: string, content: Content | undefined): Buffer {
  if (content !== undefined && 'bytes' in content) return content.bytes;
  throw new StartError(`The file of ${setting} cannot be read: ${fileFault(path, content)}.`);
}
