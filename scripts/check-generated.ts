// Fails when src/gen is not what `npm run generate` writes: generates into a temporary folder and compares byte for byte.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const committed = 'src/gen';
const scratch = mkdtempSync(join(tmpdir(), 'ect-gen-'));
try {
  const template = readFileSync('buf.gen.yaml', 'utf8').replace(`out: ${committed}`, `out: ${scratch}`);
  execFileSync('buf', ['generate', '--template', template.replace('clean: true', 'clean: false')], {
    stdio: 'inherit',
  });
  const stale = differences(committed, scratch);
  if (stale.length > 0) {
    console.error(`src/gen is stale: run \`npm run generate\` and commit the result.\n  ${stale.join('\n  ')}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true });
}

function differences(left: string, right: string): string[] {
  const names = new Set([...files(left), ...files(right)]);
  return [...names].filter((name) => read(join(left, name)) !== read(join(right, name))).sort();
}

function files(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
