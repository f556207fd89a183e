// `ect completion`: prints a script that completes commands, options and choices in a shell. The script is generated from the commands,
// so it is always up to date.

import { Argument, Command, type Option } from 'commander';
import { withHelp } from './help.ts';
import { subcommandsOf } from './help-command.ts';
import { type Io, print } from './output.ts';

const WRITERS = { bash: writeBash, zsh: writeZsh, fish: writeFish } as const;
type Shell = keyof typeof WRITERS;

export function completionCommand(io: Io, program: Command): Command {
  const command = new Command('completion')
    .description('print a script that completes commands and options in your shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(Object.keys(WRITERS)));
  withHelp(command, {
    examples: [
      'ect completion bash > ~/.local/share/bash-completion/completions/ect',
      'ect completion zsh > ~/.zfunc/_ect',
      'ect completion fish > ~/.config/fish/completions/ect.fish',
    ],
  });
  return command.action((shell: Shell) => print(io, WRITERS[shell](placesIn(program))));
}

/** A command with the words that lead to it, and the words that can follow. */
interface Place {
  readonly words: readonly string[];
  readonly description: string;
  readonly commands: readonly Command[];
  readonly options: readonly Option[];
  /** The possible values of an argument. */
  readonly choices: readonly string[];
  /** Whether an argument may be a file name. */
  readonly takesFiles: boolean;
}

function placesIn(command: Command, words: readonly string[] = []): readonly Place[] {
  const commands = subcommandsOf(command);
  const args = command.registeredArguments;
  const place = {
    words,
    description: command.description(),
    commands,
    options: command.options,
    choices: args.flatMap(({ argChoices }) => argChoices ?? []),
    takesFiles: args.some((argument) => /^(?:file|cases|dir|from|to|.*\.db)$/.test(argument.name())),
  };
  const help = command.commands.filter((sub) => sub.name() === 'help').map((sub) => helpPlace(sub, commands));
  return [place, ...help, ...commands.flatMap((sub) => placesIn(sub, [...words, sub.name()]))];
}

/** The words after `help` are the names of commands. */
function helpPlace(help: Command, commands: readonly Command[]): Place {
  const choices = commands.map((sub) => sub.name());
  return {
    words: ['help'],
    description: help.description(),
    commands: [],
    options: [],
    choices,
    takesFiles: false,
  };
}

/** Whether the value of an option is a file name. Other values cannot be completed. */
function takesFile({ flags }: Option): boolean {
  return /<(?:file|dir|folder|directory|path)\b/.test(flags);
}

function longNames(place: Place): readonly string[] {
  return place.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));
}

/** Returns the completions of a place: its commands or, if it has none, its options. */
function offersAt(place: Place): string {
  const help = place.words.length === 0 ? ['help'] : [];
  const commands = place.commands.map((sub) => sub.name());
  return [...commands, ...help, ...place.choices, ...longNames(place), '--help'].join(' ');
}

/** Returns the tables that Bash and zsh share: for each command its words, its completions and the values of its options. */
function tables(places: readonly Place[]): string {
  const nested = places.filter(({ words }) => words.length > 0);
  const offers = places.map(
    (place) => `    '${place.words.join(' ')}') words='${offersAt(place)}' files=${place.takesFiles ? 'yes' : ''} ;;`,
  );
  const values = places.flatMap((place) =>
    place.options
      .filter(({ required }) => required)
      .map((option) => {
        const name = [...place.words, option.long].join(' ');
        const words = option.argChoices?.join(' ') ?? '';
        return `    '${name}') words='${words}' files=${takesFile(option) ? 'yes' : ''} ;;`;
      }),
  );
  return `\
  for word in "\${before[@]}"; do
    case "\${place:+$place }$word" in
      ${nested.map(({ words }) => `'${words.join(' ')}'`).join(' | ')}) place="\${place:+$place }$word" ;;
    esac
    last=$word
  done
  case "$place" in
${offers.join('\n')}
  esac
  case "\${place:+$place }$last" in
${values.join('\n')}
  esac`;
}

function writeBash(places: readonly Place[]): string {
  return `\
# Completion of ect for bash: put it where your shell looks for completions, or source it.
_ect() {
  local current=\${COMP_WORDS[COMP_CWORD]} place= last= word words= files=
  local before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
${tables(places)}
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # Files where a file may stand, and nowhere else.
  [[ -n $files ]] && compopt -o default 2>/dev/null
  return 0
}
complete -F _ect ect`;
}

function writeZsh(places: readonly Place[]): string {
  return `\
#compdef ect
# Completion of ect for zsh: put it as _ect into a folder of $fpath, or source it after compinit.
_ect() {
  emulate -L zsh
  local place= last= word words_line= files=
  local -a before=("\${(@)words[2,CURRENT-1]}")
${tables(places).replaceAll('words=', 'words_line=')}
  [[ -n $words_line ]] && compadd -- \${=words_line}
  [[ -n $files ]] && _files
}
if [[ $funcstack[1] == _ect ]]; then _ect "$@"; else compdef _ect ect; fi`;
}

function writeFish(places: readonly Place[]): string {
  const lines = places.flatMap((place) => {
    const here = [
      ...place.words.map((word) => `__fish_seen_subcommand_from ${word}`),
      ...(place.commands.length === 0
        ? []
        : [`not __fish_seen_subcommand_from ${place.commands.map((sub) => sub.name()).join(' ')}`]),
    ].join('; and ');
    const line = (rest: string) => `complete -c ect -n '${here === '' ? 'true' : here}' ${rest}`;
    const commands = place.commands.map((sub) => line(`-f -a ${sub.name()} -d ${quoted(sub.description())}`));
    const options = place.options.map((option) => {
      const choices = option.argChoices === undefined ? '' : ` -a '${option.argChoices.join(' ')}'`;
      const takes = takesFile(option) ? '-r' : `-x${choices}`;
      return line(
        `-l ${option.long?.slice(2) ?? ''}${option.required ? ` ${takes}` : ''} -d ${quoted(option.description)}`,
      );
    });
    const words = [...place.choices, ...(place.words.length === 0 ? ['help'] : [])];
    return [...commands, ...(words.length === 0 ? [] : [line(`-f -a '${words.join(' ')}'`)]), ...options];
  });
  return ['# Completion of ect for fish.', ...lines].join('\n');
}

/** Quotes text for fish, as one line in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replace(/\s+/g, ' ')}'`;
}
