// `ect serve`: runs the service. What it does is handed in by the process, which alone composes the service.

import { Command } from 'commander';
import { type SettingRow, settingGroups } from '../config/index.ts';
import { configFileOption } from './config-file-option.ts';
import { withHelp } from './help.ts';

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
    restart: 'only a new process can write the files again: start it again',
  });
  return command.action((options: { readonly config?: string }) => serve(options.config));
}

const NAME_WIDTH = 34;
const TEXT_WIDTH = 86;

/** Every setting, from the table of them. */
function settingsHelp(): readonly string[] {
  const groups = settingGroups().flatMap(({ heading, rows }) => ['', `${heading}:`, ...rows.flatMap(settingHelp)]);
  return ['', 'Settings, in the environment or in the file of --config:', ...groups];
}

function settingHelp({ name, type, default: fallback, meaning }: SettingRow): readonly string[] {
  const plain = meaning.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1').replaceAll('`', '');
  const lines = wrapped(`${plain} (${type}; default ${fallback})`);
  return lines.map((line, at) => `  ${(at === 0 ? name : '').padEnd(NAME_WIDTH)}${line}`);
}

function wrapped(text: string): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + word.length >= TEXT_WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}
