// The program `ect`: its commands and its exit code.

import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { appendCommand } from './append.ts';
import { auditCommand } from './audit.ts';
import type { LedgerDatabases } from './audit-database.ts';
import { authorityCommand } from './authority.ts';
import { type Backups, backupCommand, restoreCommand } from './backup.ts';
import { checkpointCommand } from './checkpoint.ts';
import { completionCommand } from './completion.ts';
import { type CheckConfig, configCommand } from './config.ts';
import { conformanceCommand } from './conformance.ts';
import { dagCommand } from './dag.ts';
import { type ChangeSchema, dbCommand } from './db.ts';
import { devCaCommand } from './dev-ca.ts';
import { entryCommand } from './entry.ts';
import { EXIT } from './exit.ts';
import { exitCodes, withGroupHelp } from './help.ts';
import { helpCommand, howToGetHelp, subcommandsOf } from './help-command.ts';
import { issueCommand } from './issue.ts';
import { keygenCommand } from './keygen.ts';
import { keysCommand } from './keys.ts';
import { type LedgerRecovery, ledgerCommand } from './ledger.ts';
import type { LedgerCopier } from './ledger-copy.ts';
import { listCommand } from './list.ts';
import type { Io } from './output.ts';
import { policyCommand } from './policy.ts';
import { rememberCommand } from './request-fields.ts';
import { type Serve, serveCommand } from './serve.ts';
import { taintCommand } from './taint.ts';
import { type CheckTrust, trustCommand } from './trust.ts';
import { verifyCommand } from './verify.ts';

export type { Io } from './output.ts';

export interface ProgramParts {
  /** Runs the service until a stop signal. It is a parameter, because only the composition root may create the service. */
  readonly serve: Serve;
  /** Checks the settings of the environment. A parameter for the same reason. */
  readonly checkConfig: CheckConfig;
  /** Checks a token with the trust file of the environment. A parameter for the same reason. */
  readonly checkTrust: CheckTrust;
  /** Repairs a data directory that no service uses. A parameter for the same reason. */
  readonly recovery: LedgerRecovery;
  /** Copies a ledger between a data directory and a database. A parameter for the same reason. */
  readonly copier: LedgerCopier;
  /** Backs up and restores a data directory. A parameter for the same reason. */
  readonly backups: Backups;
  /** Opens the database of a ledger. A parameter for the same reason. */
  readonly databases: LedgerDatabases;
  /** Changes the tables of a database. A parameter for the same reason. */
  readonly changeSchema: ChangeSchema;
  readonly io: Io;
}

function buildProgram(parts: ProgramParts): Command {
  const { serve, checkConfig, checkTrust, recovery, copier, backups, databases, changeSchema, io } = parts;
  const program = new Command('ect')
    .description('Issues, verifies, orders and records Execution Context Tokens.')
    .version(VERSION, '-V, --version', 'print the version and exit')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\n\`ect help <command>\` shows its options, an example and the exit codes.\n\n${exitCodes().join('\n')}`,
    );
  const commands = [
    serveCommand(serve),
    configCommand(io, checkConfig),
    policyCommand(io, databases),
    trustCommand(io, checkTrust),
    authorityCommand(io),
    issueCommand(io),
    verifyCommand(io),
    dagCommand(io),
    appendCommand(io),
    entryCommand(io),
    listCommand(io),
    taintCommand(io),
    keysCommand(io),
    checkpointCommand(io),
    auditCommand(io, databases),
    backupCommand(io, backups),
    restoreCommand(io, backups),
    ledgerCommand(io, recovery, copier),
    dbCommand(io, changeSchema),
    conformanceCommand(io),
    keygenCommand(io),
    devCaCommand(io),
    completionCommand(io, program),
    helpCommand(io, program),
  ];
  for (const command of commands)
    program.addCommand(subcommandsOf(command).length > 0 ? withGroupHelp(command) : command);
  program.hook('preAction', (_program, command) => {
    rememberCommand(io, command);
    rejectEmpty(command);
  });
  for (const command of [program, ...commands, ...commands.flatMap(subcommandsOf)]) {
    command
      .exitOverride()
      .showHelpAfterError(howToGetHelp(command))
      .configureOutput({
        writeOut: (text: string) => io.stdout.write(text),
        writeErr: (text: string) => io.stderr.write(text),
      });
  }
  return program;
}

/** Rejects empty values, which come from unset shell variables. To treat them as absent would make the command do something else. */
function rejectEmpty(command: Command): void {
  const isEmpty = (value: unknown) => value === '' || (Array.isArray(value) && value.includes(''));
  const options = command.options
    .filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli')
    .filter((option) => isEmpty(command.getOptionValue(option.attributeName())))
    .map(({ flags }) => `option '${flags}'`);
  const [option] = options;
  if (option !== undefined) command.error(`error: ${option} is empty: give it a value, or leave it out`);
  const argument = command.registeredArguments.find((_, at) => isEmpty(command.processedArgs[at]));
  if (argument === undefined) return;
  const next = argument.required ? 'give it a value' : 'give it a value, or leave it out';
  command.error(`error: argument '${argument.name()}' is empty: ${next}`);
}

/**
 * Runs one command line (`argv` without the interpreter and the script) and sets `io.exitCode`. Exceptions of `serve` are passed on,
 * because the process reports them.
 */
export async function runProgram(parts: ProgramParts, argv: readonly string[]): Promise<void> {
  try {
    await buildProgram(parts).parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Requested help exits with 0. All other errors of the parser are wrong usage, which the parser has printed.
    if (error.exitCode !== EXIT.ok) parts.io.exitCode = EXIT.usage;
  }
}
