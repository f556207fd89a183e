// What the command line calls the fields of a request. A service names the field that it rejects; who typed a command knows its options
// and arguments.

import type { Command } from 'commander';
import type { Failure } from './exit.ts';
import type { Io } from './output.ts';

/** Options that have another name than their field. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  compromised_since: 'since',
  ect_ext: 'ext',
  ect_ext_json: 'ext',
  // A claim, in the findings of a dry run.
  exp: 'ttl',
  expected_current_kid: 'expect',
  from_index: 'from',
  kinds: 'kind',
  leaf_index: 'index',
  name: 'next',
  predecessor_tokens: 'pred-token',
  record_mode: 'async',
  recorded_before: 'before',
  recorded_from: 'since',
  replay_mode: 'observe',
  tokens: 'bundle',
  verify_mode: 'report',
};

/** Values of the API that options have other words for. */
const VALUES: Readonly<Record<string, string>> = { DRAFT_ECT_01: '01', REPLAY_MODE_SKIP: '--no-replay' };

/** A field that a service has rejected, and its sentence about it; empty: none. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

const commands = new WeakMap<Io, Command>();

/** To be called before a command runs. */
export function rememberCommand(io: Io, command: Command): void {
  commands.set(io, command);
}

/** The command that runs. Undefined where a body of one is run alone. */
export function runningCommand(io: Io): Command | undefined {
  return commands.get(io);
}

/**
 * How the command spells the field at this path (`aud[1]`, `task.jti`): `--aud (value 2)`, `<token>`. What is within a field that has no
 * parts for the command is that field: `ect_ext_json.pol` is `--ext`. Undefined where there is neither.
 * @internal Exported because a test asks it for every field.
 */
export function spellingOf(command: Command, path: string): string | undefined {
  const [, outer = '', field = '', at] = /^(?:(.*)\.)?([a-z_0-9]+)(?:\[(\d+)\])?$/.exec(path) ?? [];
  if (field === '') return undefined;
  const value = at === undefined ? '' : ` (value ${Number(at) + 1})`;
  const long = `--${OTHER_NAMES[field] ?? field.replaceAll('_', '-')}`;
  if (command.options.some((option) => option.long === long)) return long + value;
  if (command.registeredArguments.some((argument) => argument.name() === field)) return `<${field}>${value}`;
  return outer === '' ? undefined : spellingOf(command, outer);
}

/** What the running command calls a field. */
function spelling(io: Io, path: string): string | undefined {
  const command = commands.get(io);
  return command && spellingOf(command, path);
}

/** A text of the service about these fields, in the words of the running command. */
export function inOptions(io: Io, text: string, fields: readonly string[]): string {
  // The longest first: `aud[1]` before `aud`.
  const paths = [...new Set(fields)].sort((a, b) => b.length - a.length);
  const named = paths.reduce((said, path) => {
    const name = spelling(io, path);
    return name === undefined ? said : said.replace(mentionsOf(path), (_, before: string) => before + name);
  }, text);
  return named.replace(/[A-Z]+(?:_[A-Z0-9]+)+/g, (word) => VALUES[word] ?? word);
}

/** A plain word such as `level` is the field only where a sentence begins with it. */
function mentionsOf(path: string): RegExp {
  const literal = path.replace(/\W/g, '\\$&');
  return /[_.[]/.test(path)
    ? new RegExp(`(^|[^\\w.-])${literal}(?![\\w[.-])`, 'g')
    : new RegExp(`(^|[.:] )${literal}(?= )`, 'g');
}

/** A message that is made of sentences about fields. One that has other words for its field, as a claim has, begins with the option. */
function messageInOptions(io: Io, message: string, violations: readonly Violation[]): string {
  const fields = violations.map(({ field }) => field);
  let said = '';
  let rest = message;
  for (const { field, description } of violations) {
    const at = description === '' ? -1 : rest.indexOf(description);
    if (at < 0) continue;
    const sentence = inOptions(io, description, fields);
    const name = spelling(io, field);
    said += inOptions(io, rest.slice(0, at), fields);
    said += name === undefined || sentence.includes(name) ? sentence : `${name}: ${sentence}`;
    rest = rest.slice(at + description.length);
  }
  return said + inOptions(io, rest, fields);
}

/** A remedy names fields that the service has not rejected, too: between backticks, or by a name that no plain word has. */
export function remedyInOptions(io: Io, remedy: string, fields: readonly string[]): string {
  return inOptions(io, remedy, fields).replace(/`([a-z_]+)`|\b[a-z]+(?:_[a-z]+)+\b/g, (word, field: string = word) => {
    return spelling(io, field) ?? word;
  });
}

/** The same of a failure, for people and for `error.message`. Its metadata stays as the service has sent it. */
export function failureInOptions(io: Io, failure: Failure, violations: readonly Violation[]): Failure {
  const { message, remedy, metadata } = failure;
  const field = spelling(io, metadata['field'] ?? '');
  return {
    ...failure,
    message: messageInOptions(io, message, violations),
    remedy: remedyInOptions(
      io,
      remedy,
      violations.map((violation) => violation.field),
    ),
    ...(field !== undefined && { field }),
  };
}
