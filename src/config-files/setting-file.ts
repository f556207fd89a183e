// The bytes of a file that a setting names, out of the contents of its group, or why there are none.

import { StartError } from '../data-directory/data-dir.ts';
import { fileFault } from '../files/system-faults.ts';
import type { Content } from '../reload/index.ts';

/** StartError names the setting, the path and what is wrong with it. */
export function bytesOf(setting: string, path: string, content: Content | undefined): Buffer {
  if (content !== undefined && 'bytes' in content) return content.bytes;
  throw new StartError(`The file of ${setting} cannot be read: ${fileFault(path, content)}.`);
}
