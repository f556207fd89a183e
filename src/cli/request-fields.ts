// Translates field names of requests into options and arguments. A service names the field that it rejects, but the user of a command
// knows only its options and arguments.

import type { Command } from 'commander';
import type { Failure } from './exit.ts';
import type { Io } from './output.ts';

/** Options whose name differs from that of the field. */
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

/** Values of the API that have other names in options. */
const VALUES: Readonly<Record<string, string>> = { DRAFT_ECT_01: '01', REPLAY_MODE_SKIP: '--no-replay' };

/** A field that a service has rejected, and its sentence about the field; empty if there is none. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

const commands = new WeakMap<Io, Command>();

/** Sets the running command. Must be called before the command runs. */
export function rememberCommand(io: Io, command: Command): void {
  commands.set(io, command);
}

/** Returns the running command; undefined if the body of a command runs by itself, as in tests. */
export function runningCommand(io: Io): Command | undefined {
  return commands.get(io);
}

/**
 * Returns the option or argument for the field at this path (`aud[1]`, `task.jti`): `--aud (value 2)`, `<token>`. A member of a field
 * that the command has only as a whole is that field: `ect_ext_json.pol` is `--ext`. Undefined if the command has neither.
 *
 * @internal Exported because a test calls it for every field.
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

/** Returns what the running command calls a field. */
function spelling(io: Io, path: string): string | undefined {
  const command = commands.get(io);
  return command && spellingOf(command, path);
}

/** Replaces these field names in a text of the service with the options and arguments of the running command. */
export function inOptions(io: Io, text: string, fields: readonly string[]): string {
  // The longest first: `aud[1]` before `aud`.
  const paths = [...new Set(fields)].sort((a, b) => b.length - a.length);
  const named = paths.reduce((said, path) => {
    const name = spelling(io, path);
    return name === undefined ? said : said.replace(mentionsOf(path), (_, before: string) => before + name);
  }, text);
  return named.replace(/[A-Z]+(?:_[A-Z0-9]+)+/g, (word) => VALUES[word] ?? word);
}

/** An ordinary word such as `level` means the field only at the beginning of a sentence. */
function mentionsOf(path: string): RegExp {
  const literal = path.replace(/\W/g, '\\$&');
  return /[_.[]/.test(path)
    ? new RegExp(`(^|[^\\w.-])${literal}(?![\\w[.-])`, 'g')
    : new RegExp(`(^|[.:] )${literal}(?= )`, 'g');
}

/**
 * Translates a message that consists of sentences about fields. If a sentence uses another name for its field, such as that of a claim,
 * the option is put before it.
 */
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

/**
 * Translates a remedy, which may also name fields that the service has not rejected: in backticks, or by a name that no ordinary word
 * has.
 */
export function remedyInOptions(io: Io, remedy: string, fields: readonly string[]): string {
  return inOptions(io, remedy, fields).replace(/`([a-z_]+)`|\b[a-z]+(?:_[a-z]+)+\b/g, (word, field: string = word) => {
    return spelling(io, field) ?? word;
  });
}

/** The reasons for which a service rejects the form of a claim. Only `ect issue` has options for claims; a token is judged, not typed. */
const OF_CLAIMS: ReadonlySet<string> = new Set(['CLAIM_INVALID', 'PRED_INVALID', 'EXT_TOO_LARGE', 'EXT_TOO_DEEP']);

function isOption(name: string | undefined): boolean {
  return name?.startsWith('--') === true;
}

/** Replaces the field names in a failure, for its text and for `error.message`. Its metadata is unchanged. */
export function failureInOptions(io: Io, failure: Failure, violations: readonly Violation[]): Failure {
  const { message, remedy, metadata } = failure;
  const field = spelling(io, metadata['field'] ?? '');
  const names = violations.map((violation) => spelling(io, violation.field));
  return {
    ...failure,
    message: messageInOptions(io, message, violations),
    remedy: remedyInOptions(
      io,
      remedy,
      violations.map((violation) => violation.field),
    ),
    ...(field !== undefined && { field }),
    isUsage: failure.reason === 'REQUEST_INVALID' || (OF_CLAIMS.has(failure.reason) && names.some(isOption)),
  };
}
