// The end of each help page: an example, the environment variables and the exit codes.

import type { Command } from 'commander';
import { EXIT_CODES } from './exit.ts';

interface HelpPage {
  readonly examples: readonly string[];
  /** The meaning of exit code 1 for this command; undefined: the command cannot end with it. */
  readonly rejected?: string;
  /** The meaning of exit code 2, if it is more than a wrong command line. */
  readonly wrong?: string;
  /** The meaning of exit code 3, if the command has it. */
  readonly restart?: string;
}

const examplesOf = new WeakMap<Command, readonly string[]>();

/** Completes the help page of a command. Call it last, because it lists the variables of the options that were added. */
export function withHelp(command: Command, page: HelpPage): Command {
  examplesOf.set(command, page.examples);
  const variables = command.options.flatMap((option) => (option.envVar === undefined ? [] : [option]));
  const lines = ['', 'Examples:', ...page.examples.map((example) => `  ${example}`)];
  if (variables.length > 0) {
    const width = Math.max(...variables.map(({ envVar = '' }) => envVar.length));
    lines.push('', 'Environment:', ...variables.map(({ envVar = '', long }) => `  ${envVar.padEnd(width)}  ${long}`));
  }
  const { rejected, wrong = 'wrong usage', restart } = page;
  lines.push('', 'Exit codes:');
  for (const [code, meaning] of ['ok', rejected, wrong, restart].entries()) {
    if (meaning !== undefined) lines.push(wrapped(meaning, 5).join('\n').replace(/^ {5}/, `  ${code}  `));
  }
  return command.addHelpText('after', lines.join('\n'));
}

/** Completes the help page of a command that only has other commands: an example of each, and the exit codes of all commands. */
export function withGroupHelp(group: Command): Command {
  const examples = group.commands.flatMap((command) => examplesOf.get(command)?.slice(0, 1) ?? []);
  const lines = ['', 'Examples:', ...examples.map((example) => `  ${example}`), '', ...exitCodes()];
  return group.addHelpText('after', lines.join('\n'));
}

/** The meaning of the exit codes, in lines. */
export function exitCodes(): readonly string[] {
  return [
    'Exit codes:',
    ...EXIT_CODES.map(([code, meaning]) => wrapped(meaning, 5).join('\n').replace(/^ {5}/, `  ${code}  `)),
  ];
}

const TERMINAL_WIDTH = 80;

/** Wraps text to the width of a terminal, with this many blanks before each line. */
export function wrapped(text: string, indentation: number): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && indentation + line.length + 1 + word.length > TERMINAL_WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => `${' '.repeat(indentation)}${line}`);
}
