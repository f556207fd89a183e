// `ect serve`: runs the service. The process passes the function that does so, because only the process composes the service.

import { Command } from 'commander';
import { type SettingRow, settingGroups } from '../config/index.ts';
import { configFileOption } from './config-file-option.ts';
import { withHelp, wrapped } from './help.ts';

/** Runs the service. `config`: the path of a configuration file. */
export type Serve = (config: string | undefined) => Promise<void>;

export function serveCommand(serve: Serve): Command {
  const command = new Command('serve')
    .description('run the service until SIGTERM or SIGINT')
    .addOption(configFileOption());
  command.addHelpText('after', settingsHelp().join('\n'));
  withHelp(command, {
    examples: [
      'ect serve',
      'ECT_LISTEN=127.0.0.1:0 ECT_DATA_DIR=/var/lib/ect ect serve',
      'ect serve --config ect.yaml',
    ],
    rejected: 'the service could not start',
    wrong: 'wrong usage, an invalid setting (every mistake is listed), or a data directory that is in use',
    restart: 'a disk failed, and only a new process can write the files again: start the service again',
  });
  return command.action((options: { readonly config?: string }) => serve(options.config));
}

/** Returns the help of every setting, from the table of settings. Their names are too long for a column. */
function settingsHelp(): readonly string[] {
  const groups = settingGroups().flatMap(({ heading, rows }) => ['', `${heading}:`, ...rows.flatMap(settingHelp)]);
  return ['', 'Settings, in the environment or in the file of --config:', ...groups];
}

function settingHelp({ name, type, default: fallback, meaning }: SettingRow): readonly string[] {
  const plain = meaning.replace(/\[([^\]]+)\]\(([^)]+)\)/g, '$1 ($2)').replaceAll('`', '');
  return [`  ${name}`, ...wrapped(`${plain} (${type}; default ${fallback})`, 6)];
}
