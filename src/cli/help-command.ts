// `ect help keys rotate`: prints the help page of any command.

import { Command } from 'commander';
import { nearest } from '../spelling.ts';
import { EXIT } from './exit.ts';
import type { Io } from './output.ts';

/** Returns the command `help` of `program`. It takes the words of a command, and shows the options of that command. */
export function helpCommand(io: Io, program: Command): Command {
  return new Command('help')
    .description('show the options, examples and exit codes of a command')
    .argument('[command...]', 'for example: keys rotate')
    .action((words: readonly string[]) => {
      let command = program;
      for (const word of words) {
        const next = subcommandOf(command, word);
        if (next === undefined) {
          io.exitCode = EXIT.usage;
          io.stderr.write(`error: ${fullName(command)} has no command '${word}'. ${hintFor(word, command)}\n`);
          return;
        }
        command = next;
      }
      command.outputHelp();
    });
}

/** Returns the subcommands of a command, without the `help` that the parser adds. */
export function subcommandsOf(command: Command): readonly Command[] {
  return command.commands.filter((sub) => sub.name() !== 'help');
}

function subcommandOf(command: Command, word: string): Command | undefined {
  return command.commands.find((sub) => sub.name() === word);
}

function hintFor(word: string, command: Command): string {
  const names = subcommandsOf(command).map((sub) => sub.name());
  const meant = nearest(word, names, 3);
  if (meant !== undefined) return `Did you mean ${meant}?`;
  return names.length === 0 ? `See \`${fullName(command)} --help\`.` : `It has: ${names.join(', ')}.`;
}

/** The end of a message about wrong usage: where to read what is right. */
export function howToGetHelp(command: Command): string {
  const [, ...words] = fullName(command).split(' ');
  return words.length === 0
    ? '`ect help` lists the commands; options follow their command.'
    : `\`ect help ${words.join(' ')}\` shows what it takes.`;
}

/** `ect keys rotate`. */
function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}
