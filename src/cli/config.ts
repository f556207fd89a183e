// `ect config check`: checks whether the service would start with the settings of this environment, without starting it.

import { Command } from 'commander';
import type { Effective } from '../config/index.ts';
import { configFileOption } from './config-file-option.ts';
import { EXIT, mistakeCount } from './exit.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, paint, plain, print, printJson, remark, withJson } from './output.ts';

/** The result of the check. */
export interface ConfigFindings {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** What a start depends on and was not checked. */
  readonly notChecked: readonly string[];
  readonly settings: readonly Effective[];
}

/** Checks the settings of the environment and of a configuration file, and the files that the settings name. */
export type CheckConfig = (options: {
  readonly callKms: boolean;
  /** The path of a configuration file. */
  readonly config: string | undefined;
}) => Promise<ConfigFindings>;

interface CheckOptions extends OutputOptions {
  readonly kms?: true;
  readonly config?: string;
}

export function configCommand(io: Io, checkConfig: CheckConfig): Command {
  const command = new Command('check')
    .description('check every setting and every file that a start would read; change nothing, and start nothing')
    .addOption(configFileOption())
    .option('--kms', 'call AWS KMS too: find the key, and have it sign once');
  withHelp(withJson(command, ['valid', 'problems', 'warnings', 'notChecked', 'settings']), {
    examples: ['ect config check', 'ECT_LISTEN=0.0.0.0:8443 ECT_TLS_CERT=server.pem ect config check'],
    rejected: 'the check itself failed',
    wrong: 'the configuration has mistakes: all of them are listed; or wrong usage',
  });
  command.action((options: CheckOptions) =>
    attempt(io, options, async () => {
      const findings = await checkConfig({ callKms: options.kms ?? false, config: options.config });
      if (findings.problems.length > 0) io.exitCode = EXIT.usage;
      if (options.json) printAsJson(io, findings);
      else printFindings(io, findings);
    }),
  );
  return new Command('config').description('check the configuration of a service').addCommand(command);
}

/** The suffix of a value in the output: its source. */
const SOURCES = { environment: '', file: ' (file)', option: ' (option)', default: ' (default)' } as const;

function printFindings(io: Io, { problems, warnings, notChecked, settings }: ConfigFindings): void {
  for (const warning of warnings) remark(io, paint(io.stderr, 'yellow', `! ${plain(warning)}`));
  if (problems.length > 0) {
    remark(io, paint(io.stderr, 'red', `✗ The configuration has ${mistakeCount(problems.length)}:`));
    for (const problem of problems) for (const line of problem.split('\n')) remark(io, `  ${plain(line)}`);
    return;
  }
  const headline =
    warnings.length === 0 ? 'a service would start with this configuration' : 'no mistake, but see above';
  print(io, paint(io.stdout, 'green', `✓ ${headline}`));
  for (const what of notChecked) print(io, `  not checked: ${plain(what)}`);
  const rows = settings.map(({ name, value, source }) => [name, `${value}${SOURCES[source]}`] as const);
  for (const line of columns(rows)) print(io, `  ${line}`);
}

function printAsJson(io: Io, { problems, warnings, notChecked, settings }: ConfigFindings): void {
  printJson(io, {
    valid: problems.length === 0,
    problems: [...problems],
    warnings: [...warnings],
    notChecked: [...notChecked],
    settings: Object.fromEntries(
      settings.map(({ name, value, source }) => [name, { value, source, default: source === 'default' }]),
    ),
  });
}
