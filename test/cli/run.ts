// Runs the program in this process, with streams of its own, and answers what it printed and its exit code.

import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { backupsOf } from '../../src/backup/index.ts';
import type { Io } from '../../src/cli/output.ts';
import { runProgram } from '../../src/cli/program.ts';
import { ledgerCopier } from '../../src/ledger-copy/index.ts';
import { checkConfig } from '../../src/maintenance/config-check.ts';
import { ledgerDatabases } from '../../src/maintenance/database-audit.ts';
import { schemaChanger } from '../../src/maintenance/database-schema.ts';
import { ledgerRecoveryOf } from '../../src/maintenance/ledger-recovery.ts';
import { trustChecker } from '../../src/maintenance/trust-check.ts';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `ect` with these arguments; `stdin` is what it reads from there, `env` where commands about a database find settings. */
export async function ect(
  argv: readonly string[],
  stdin = '',
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Outcome> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const io: Io = { stdin: Readable.from([Buffer.from(stdin)]), stdout, stderr, exitCode: 0 };
  const printed = Promise.all([buffer(stdout), buffer(stderr)]);
  const serve = () => Promise.reject(new Error('no test of the command line serves'));
  const check = () => checkConfig(process.env, { callKms: false });
  await runProgram(
    {
      serve,
      checkConfig: check,
      checkTrust: trustChecker(env),
      recovery: ledgerRecoveryOf(env),
      copier: ledgerCopier(env),
      backups: backupsOf(env),
      databases: ledgerDatabases(env),
      changeSchema: schemaChanger(env),
      io,
    },
    argv,
  );
  stdout.end();
  stderr.end();
  const [out, err] = await printed;
  return { code: Number(io.exitCode), out: out.toString('utf8'), err: err.toString('utf8') };
}
