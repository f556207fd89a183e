// Writes the vectors: `node test/vectors/make/main.ts`. The same input gives the same files, byte for byte.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFiles } from './files.ts';

const folder = join(import.meta.dirname, '../../../vectors');
for (const kind of ['valid', 'invalid', 'dag']) await rm(join(folder, kind), { recursive: true, force: true });
for (const [name, text] of writeFiles()) {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
}
