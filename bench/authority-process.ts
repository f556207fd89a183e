// Our own service as a contender: the real process with its shipped settings and a fresh data directory.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from './contenders.ts';
import { type Server, startServer } from './servers.ts';

interface AuthorityOptions {
  readonly name?: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  readonly cores?: readonly number[];
}

/** The name of our side in every table. */
export const OURS = 'ours';

/** Starts the service over SQLite. Its signing key is the one that the generator makes tokens with. */
export async function startAuthority(bench: Bench, options: AuthorityOptions = {}): Promise<Server> {
  const { name = OURS, settings = {}, ...rest } = options;
  const dataDir = await mkdtemp(join(bench.folder, 'data-'));
  return startServer({
    name,
    program: ['../src/main.ts', 'serve'],
    env: {
      ECT_LISTEN: '127.0.0.1:0',
      ECT_DATA_DIR: dataDir,
      ECT_LOCAL_KEY_FILE: bench.keyFile,
      // The generator is one caller, and writes as much as it can.
      ECT_CALLER_WRITE_MIB_PER_HOUR: '0',
      ...settings,
    },
    folder: bench.folder,
    ...rest,
  });
}
