// The process: arguments and environment, and how a run of the program ends. `main.ts` starts it.

import { backupsOf } from './backup/index.ts';
import type { CheckConfig } from './cli/config.ts';
import { runProgram } from './cli/program.ts';
import { addToEnvironment, ConfigError, dropEmptySettings, openConfigFile } from './config/index.ts';
import { DirectoryInUse } from './data-directory/ownership.ts';
import { EctError, type ErrorReason } from './errors.ts';
import { ledgerCopier } from './ledger-copy/index.ts';
import { checkConfig } from './maintenance/config-check.ts';
import { ledgerDatabases } from './maintenance/database-audit.ts';
import { schemaChanger } from './maintenance/database-schema.ts';
import { ledgerRecoveryOf } from './maintenance/ledger-recovery.ts';
import { trustChecker } from './maintenance/trust-check.ts';
import { StopLate } from './runtime/shutdown.ts';
import { Signals } from './runtime/signals.ts';
import { serve } from './serve.ts';
import { isOperatorError } from './service/index.ts';

/** What the operator does about what stops a start, where the message itself does not say it. */
const NEXT_STEPS: Readonly<Partial<Record<ErrorReason, string>>> = {
  LEDGER_CORRUPT: ' Run `ect audit` on it, and restore it from a backup.',
  STORAGE_FULL: ' Free some on the file system of ECT_DATA_DIR, and start again.',
  ONCE_CORRUPT: ' Without a backup move it away: tokens that are still alive can then be replayed once.',
};

/** Runs the program with the arguments of the process. `signals`: where somebody has listened for them already. */
export async function runProcess(signals: Signals | undefined): Promise<void> {
  // A reader that has seen enough (`ect … | head`) closes the pipe; that is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
  const check: CheckConfig = async ({ callKms, config }) => {
    const configOption = config === process.env['ECT_CONFIG'] ? undefined : config;
    return checkConfig(process.env, { callKms, file: config ? await openConfigFile(config) : undefined, configOption });
  };
  const parts = {
    serve: (config: string | undefined) => serve(signals ?? new Signals(), config),
    checkConfig: check,
    checkTrust: trustChecker(process.env),
    recovery: ledgerRecoveryOf(process.env),
    copier: ledgerCopier(process.env),
    backups: backupsOf(process.env),
    databases: ledgerDatabases(process.env),
    changeSchema: schemaChanger(process.env),
    io: process,
  };
  const [command = ''] = process.argv.slice(2);
  dropEmptySettings(process.env);
  try {
    // These two open the file themselves, since they tell a mistake in it from one in the environment.
    if (command !== 'serve' && command !== 'config') await addConfigFile();
    await runProgram(parts, process.argv.slice(2));
  } catch (error) {
    endWith(error);
  }
}

/** For the commands that work on what belongs to a service: they find its settings in the environment. */
async function addConfigFile(): Promise<void> {
  const path = process.env['ECT_CONFIG'];
  if (!path) return;
  const file = await openConfigFile(path);
  if (file.problems.length > 0) throw new ConfigError(file.problems);
  addToEnvironment(process.env, file);
}

function endWith(error: unknown): void {
  process.exitCode = 1;
  if (error instanceof ConfigError) {
    process.exitCode = 2;
    process.stderr.write(`${error.message}\nSee \`ect serve --help\` for every setting.\n`);
  } else if (error instanceof EctError) {
    // The remedies of reasons are for callers, who may retry; here the message says what the operator can do.
    const next = NEXT_STEPS[error.reason] ?? '';
    process.stderr.write(`${error.reason}: ${error.message}${next}\n`);
  } else if (error instanceof StopLate || isOperatorError(error)) {
    // As for a setting that is wrong: ECT_DATA_DIR names a directory that is another's.
    if (error instanceof DirectoryInUse) process.exitCode = 2;
    process.stderr.write(`${error.message}\n`);
  } else {
    throw error;
  }
}
