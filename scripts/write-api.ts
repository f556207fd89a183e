// Writes docs/api.md, the API reference, from the comments of the protos. With --check it writes nothing, and fails when
// the page is not what it would write. `--page` and `--protos` name other places.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderApi } from './api-page.ts';
import { readApiSource } from './api-source.ts';

const root = join(import.meta.dirname, '..');
const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    page: { type: 'string', default: join(root, 'docs/api.md') },
    protos: { type: 'string', default: join(root, 'proto') },
  },
});

const page = renderApi(readApiSource(options.protos));
if (!options.check) {
  mkdirSync(dirname(options.page), { recursive: true });
  writeFileSync(options.page, page);
} else if (read(options.page) !== page) {
  console.error(`${options.page} is stale: run \`node scripts/write-api.ts\` and commit the result.`);
  process.exitCode = 1;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
