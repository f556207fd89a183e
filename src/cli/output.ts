// What a command prints: results on stdout (for people, or JSON with --json), remarks and failures on stderr.

import { inspect, styleText } from 'node:util';
import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import type { Failure } from './exit.ts';

/** The world as a command sees it. `process` is one. */
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

/** Adds `--json` to a command that prints a response of the API. `otherwise`: what it prints beside that. */
export function withOutput(command: Command, otherwise?: string): Command {
  const more = otherwise === undefined ? '' : `; ${otherwise}`;
  return command.option('--json', `print JSON: the response of the API, as protobuf JSON spells it${more}`);
}

/** Adds `--json` to a command that prints members of its own. */
export function withJson(command: Command, members: readonly string[]): Command {
  return command.option('--json', `print JSON with the members ${members.join(', ')}`);
}

/**
 * Makes text from elsewhere (attacker-controlled: claims, messages of a service, lines of a file) safe for a terminal:
 * control characters, line breaks and direction overrides become visible escapes.
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

/** Prints a message of the API. Defaults are written out, so that `valid: false` is there to be read. */
export function printMessage<S extends DescMessage>(io: Io, schema: S, message: MessageShape<S>): void {
  printJson(io, toJson(schema, message, { alwaysEmitImplicit: true }));
}

/** The same on one line, for lists that are too long for the memory. */
export function printLine<S extends DescMessage>(io: Io, schema: S, message: MessageShape<S>): void {
  print(io, JSON.stringify(toJson(schema, message, { alwaysEmitImplicit: true })));
}

/** Prints any JSON value. */
export function printJson(io: Io, value: JsonValue): void {
  print(io, JSON.stringify(value, null, 2));
}

/** Aligns names and values in two columns. Both may come from elsewhere and are made safe; rows without a value are left out. */
export function columns(rows: readonly (readonly [name: string, value: string])[]): readonly string[] {
  const shown = rows.filter(([, value]) => value !== '').map(([name, value]) => [plain(name), plain(value)] as const);
  const width = shown.reduce((widest, [name]) => Math.max(widest, name.length), 0);
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** A time in seconds since the epoch as people write it, in UTC. */
export function utc(seconds: bigint | number): string {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? inspect(seconds) : date.toISOString().replace(/\.000Z$/, 'Z');
}

/** Tells a failure: as JSON on stdout for machines, else as a few lines on stderr. */
export function printFailure(io: Io, options: OutputOptions, failure: Failure): void {
  if (options.json) {
    const { faults, field: _, ...rest } = failure;
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
