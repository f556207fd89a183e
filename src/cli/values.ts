// Parses the values of options and arguments: durations, levels, files, and tokens as text, `-` or `@file`.

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { InvalidArgumentError } from 'commander';
import { fileFault } from '../files/system-faults.ts';
import { Level } from '../gen/ect/v1/token_pb.ts';
import { originFault } from '../ledger/index.ts';
import { isCallerName } from '../policy/index.ts';
import { ID_FORMS, isWorkloadId } from '../token/index.ts';
import { WrongUsage } from './exit.ts';
import type { Io } from './output.ts';

/** The levels, by their names on the command line. */
export const LEVELS = { L1: Level.L1, L2: Level.L2, L3: Level.L3 } as const;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Parses `500ms`, `30s`, `10m` or `24h`. */
export function milliseconds(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text);
  const value = match ? Number(match[1]) * UNITS[match[2]!]! : 0;
  if (value === 0)
    throw new InvalidArgumentError('It is a number above 0 with a unit (ms, s, m or h): 500ms, 30s, 10m or 24h.');
  return value;
}

/** Parses `30s`, `10m` or `24h` into whole seconds. */
export function seconds(text: string): number {
  const value = milliseconds(text) / 1_000;
  if (!Number.isInteger(value)) throw new InvalidArgumentError('It is a whole number of seconds: 30s, 10m or 24h.');
  return value;
}

/** A time in the form of the API. */
export interface Moment {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Parses a time with milliseconds: RFC 3339 with a time zone, or seconds since the epoch. */
export function moment(text: string): Moment {
  if (/^\d{1,12}$/.test(text)) return { seconds: BigInt(text), nanos: 0 };
  const milliseconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (!(milliseconds >= 0))
    throw new InvalidArgumentError('It is a time like 2026-03-01T12:00:00Z, or seconds since 1970.');
  return { seconds: BigInt(Math.floor(milliseconds / 1_000)), nanos: (milliseconds % 1_000) * 1_000_000 };
}

/** Parses an index of the ledger. */
export function ledgerIndex(text: string): bigint {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 0.');
  return BigInt(text);
}

/** Parses a number of items. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 1.');
  return Number(text);
}

/** Parses the URL of a service, without a path: `https://host:port`, or `unix:/path` for a socket. */
export function serviceUrl(text: string): string {
  const path = socketPath(text);
  if (path !== undefined) return `unix:${path}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/') {
    throw new InvalidArgumentError(
      'It is an address like http://127.0.0.1:8080, https://ect.example:8443 or unix:/run/ect/ect.sock.',
    );
  }
  return url.origin;
}

/** Returns the path in `unix:/path` or `unix:///path`; undefined for any other URL. */
export function socketPath(text: string): string | undefined {
  return /^unix:(?:\/\/)?(\/[^/].*)$/.exec(text)?.[1];
}

/** Parses the SPIFFE ID of a workload. */
export function workloadId(text: string): string {
  if (!isWorkloadId(text)) throw new InvalidArgumentError('It is a SPIFFE ID like spiffe://example.org/ect.');
  return text;
}

/** Parses the name of a ledger. */
export function ledgerOrigin(text: string): string {
  const fault = originFault(text);
  if (fault === undefined) return text;
  throw new InvalidArgumentError(`It is a name like ledger.example/ect: ${fault}.`);
}

/** Parses the id of a task or a workflow to look up. A text that is no id in any service would find nothing, and not say why. */
export function lookupId(text: string): string {
  if (ID_FORMS.text.pattern.test(text)) return text;
  throw new InvalidArgumentError(
    'It is a UUID in lower case; in a service with ECT_UUIDS=off, 1 to 256 printable ASCII characters.',
  );
}

/** Whether an id has the form that services accept by default. */
export function isUuid(id: string): boolean {
  return ID_FORMS.uuid.pattern.test(id);
}

/** Parses an issuer of tokens. */
export function issuerName(text: string): string {
  if (text !== 'anonymous' && isCallerName(text)) return text;
  throw new InvalidArgumentError('It is a URI like spiffe://prod.example/payments or urn:example:payments.');
}

/** The authors of entries that are no issuer: an anonymous administrator, the service itself, and its operator. */
const OTHER_AUTHORS = ['anonymous', 'service', 'operator'];

/** Parses the author of an entry. */
export function authorName(text: string): string {
  if (OTHER_AUTHORS.includes(text) || isCallerName(text)) return text;
  throw new InvalidArgumentError(
    `It is a URI like spiffe://prod.example/payments, or one of ${OTHER_AUTHORS.join(', ')}.`,
  );
}

/** Parses a caller, for a policy. */
export function callerName(text: string): string {
  if (isCallerName(text)) return text;
  throw new InvalidArgumentError(
    'It is a SPIFFE ID like spiffe://prod.example/payments, the name of an OIDC subject (a URI, like https://idp.example/user-7), or anonymous.',
  );
}

/** Collects the values of an option that may be given several times. */
export function each(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** Reads the file that an option names; `-` is stdin. */
export async function readBytes(io: Io, path: string): Promise<Buffer> {
  if (path === '-') return buffer(io.stdin);
  try {
    return await readFile(path);
  } catch (cause) {
    throw cannotRead(path, cause);
  }
}

/**
 * Reads a text: the argument itself, stdin for `-`, or a file for `@file`. White space around it is removed. The name of a file without
 * the `@` is rejected, because its message would otherwise be that a token or a key of this text is invalid.
 */
export async function readText(io: Io, argument: string): Promise<string> {
  if (argument !== '-' && existsSync(argument)) {
    throw new WrongUsage(`${argument} is the name of a file: to read the file, write @${argument}`);
  }
  const path = argument === '-' ? '-' : argument.startsWith('@') ? argument.slice(1) : undefined;
  const text = path === undefined ? argument : (await readBytes(io, path)).toString('utf8');
  return text.trim();
}

/** Returns SHA-256 of the exact octets of a file, in the form of hash claims. The file is read in chunks and never sent. */
export async function hashFile(io: Io, path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of path === '-' ? io.stdin : createReadStream(path)) hash.update(chunk);
  } catch (cause) {
    throw cannotRead(path, cause);
  }
  return hash.digest('base64url');
}

function cannotRead(path: string, cause: unknown): WrongUsage {
  return new WrongUsage(fileFault(path, cause), { cause });
}
