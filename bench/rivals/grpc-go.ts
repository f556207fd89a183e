// Builds the rival in Go: the source of grpc-go/ with code that is generated from our schema.

import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('grpc-go/', import.meta.url));
const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
/** Kept between runs: the first build fetches its modules and takes a minute or two. */
const BUILT = join(REPOSITORY, 'node_modules/.cache/bench-grpc-go');

/** Builds the program: its path and the version of Go. Undefined where Go is not installed. */
export async function buildGrpcGo(): Promise<{ readonly program: string; readonly version: string } | undefined> {
  const version = await goVersion();
  if (version === undefined) return undefined;
  await mkdir(BUILT, { recursive: true });
  for (const name of ['go.mod', 'go.sum', 'main.go']) await cp(join(SOURCE, name), join(BUILT, name));
  const template = join(SOURCE, 'buf.gen.yaml');
  const generate = ['generate', '--template', template, '--path', 'proto/ect', '--output', BUILT];
  await run(join(REPOSITORY, 'node_modules/.bin/buf'), generate, { cwd: REPOSITORY });
  await run('go', ['build', '-o', 'rival', '.'], { cwd: BUILT });
  return { program: join(BUILT, 'rival'), version };
}

async function goVersion(): Promise<string | undefined> {
  try {
    return (await run('go', ['env', 'GOVERSION'])).stdout.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
