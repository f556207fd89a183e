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

const commands = new WeakMap<Io, Command>();

/** To be said before a command runs. */
export function rememberCommand(io: Io, command: Command): void {
  commands.set(io, command);
}

/**
 * How the command spells the field at this path (`aud[1]`, `task.jti`): `--aud (value 2)`, `<token>`. Undefined where it has neither.
 * @internal Exported because a test asks it for every field.
 */
export function spellingOf(command: Command, path: string): string | undefined {
  const [, field = '', at] = /(?:^|\.)([a-z_0-9]+)(?:\[(\d+)\])?$/.exec(path) ?? [];
  const value = at === undefined ? '' : ` (value ${Number(at) + 1})`;
  const long = `--${OTHER_NAMES[field] ?? field.replaceAll('_', '-')}`;
  if (command.options.some((option) => option.long === long)) return long + value;
  return command.registeredArguments.some((argument) => argument.name() === field) ? `<${field}>${value}` : undefined;
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
  return paths.reduce((said, path) => {
    const name = spelling(io, path);
    return name === undefined ? said : said.replace(mentionsOf(path), (_, before: string) => before + name);
  }, text);
}

/** A plain word such as `level` is the field only where a sentence begins with it. */
function mentionsOf(path: string): RegExp {
  const literal = path.replace(/\W/g, '\\$&');
  return /[_.[]/.test(path)
    ? new RegExp(`(^|[^\\w.-])${literal}(?![\\w[.-])`, 'g')
    : new RegExp(`(^|[.:] )${literal}(?= )`, 'g');
}

/** The same of a failure, for people and for `error.message`. Its metadata stays as the service has sent it. */
export function failureInOptions(io: Io, failure: Failure, fields: readonly string[]): Failure {
  const { message, remedy, metadata } = failure;
  const field = spelling(io, metadata['field'] ?? '');
  return {
    ...failure,
    message: inOptions(io, message, fields),
    remedy: inOptions(io, remedy, fields),
    ...(field !== undefined && { field }),
  };
}
