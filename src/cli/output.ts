// The output of commands: results on stdout (text, or JSON with --json), remarks and failures on stderr.

import { inspect, styleText } from 'node:util';
import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import type { Failure } from './exit.ts';

/** The streams and the exit code that a command uses. `process` is one. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  exitCode?: number | string | null | undefined;
}

export interface OutputOptions {
  readonly json?: true;
}

type Style = Parameters<typeof styleText>[0];

/** Adds `--json` to a command that prints a response of the API. `otherwise`: what else it prints. */
export function withOutput(command: Command, otherwise?: string): Command {
  const more = otherwise === undefined ? '' : `; ${otherwise}`;
  return command.option('--json', `print JSON: the response of the API, as protobuf JSON spells it${more}`);
}

/** Adds `--json` to a command that prints an object with these members. */
export function withJson(command: Command, members: readonly string[]): Command {
  return command.option('--json', `print JSON with the members ${members.join(', ')}`);
}

/**
 * Makes foreign text safe for a terminal (attacker-controlled: claims, messages of a service, lines of a file): control characters, line
 * breaks and direction overrides become visible escapes.
 */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

/** Prints one line of the result. */
export function print(io: Io, line = ''): void {
  io.stdout.write(`${line}\n`);
}

/** Prints one remark, which is not part of the result. */
export function remark(io: Io, line: string): void {
  io.stderr.write(`${line}\n`);
}

/** Styles text if the stream is a terminal that shows it. */
export function paint(stream: NodeJS.WritableStream, style: Style, text: string): string {
  return styleText(style, text, { stream });
}

/** Prints a message of the API as JSON. Default values are included, so that `valid: false` is visible. */
export function printMessage<S extends DescMessage>(io: Io, schema: S, message: MessageShape<S>): void {
  printJson(io, toJson(schema, message, { alwaysEmitImplicit: true }));
}

/** Prints a message on one line, for lists that are too long to be kept in memory. */
export function printLine<S extends DescMessage>(io: Io, schema: S, message: MessageShape<S>): void {
  print(io, JSON.stringify(toJson(schema, message, { alwaysEmitImplicit: true })));
}

/** Prints any JSON value. */
export function printJson(io: Io, value: JsonValue): void {
  print(io, JSON.stringify(value, null, 2));
}

/** Aligns names and values in two columns. Both may be foreign text and are made safe; rows without a value are omitted. */
export function columns(rows: readonly (readonly [name: string, value: string])[]): readonly string[] {
  const shown = rows.filter(([, value]) => value !== '').map(([name, value]) => [plain(name), plain(value)] as const);
  const width = shown.reduce((widest, [name]) => Math.max(widest, name.length), 0);
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** Formats a time in seconds since the epoch, in UTC. */
export function utc(seconds: bigint | number): string {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? inspect(seconds) : date.toISOString().replace(/\.000Z$/, 'Z');
}

/** Prints a failure: as JSON on stdout with --json, otherwise as a few lines on stderr. */
export function printFailure(io: Io, options: OutputOptions, failure: Failure): void {
  if (options.json) {
    const { faults, field: _, isUsage: __, ...rest } = failure;
    const all = faults === undefined ? {} : { faults: [...faults] };
    printJson(io, { error: { ...rest, ...all, metadata: { ...failure.metadata } } });
    return;
  }
  const { field } = failure;
  remark(io, `${paint(io.stderr, 'red', `✗ ${plain(failure.reason)}`)}: ${plain(failure.message)}`);
  for (const fault of failure.faults ?? []) remark(io, `  ${plain(fault)}`);
  for (const line of columns(Object.entries({ ...failure.metadata, ...(field && { field }) }))) remark(io, `  ${line}`);
  if (failure.remedy !== '') remark(io, `  next: ${plain(failure.remedy)}`);
}
