// The values of options and arguments: durations, levels, files, and tokens given as text, `-` or `@file`.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { InvalidArgumentError } from 'commander';
import { fileFault } from '../files/system-faults.ts';
import { Level } from '../gen/ect/v1/token_pb.ts';
import { isCallerName } from '../policy/index.ts';
import { isWorkloadId } from '../token/index.ts';
import { WrongUsage } from './exit.ts';
import type { Io } from './output.ts';

/** Levels by the names that options have for them. */
export const LEVELS = { L1: Level.L1, L2: Level.L2, L3: Level.L3 } as const;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Reads `500ms`, `30s`, `10m` or `24h`. */
export function milliseconds(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text);
  const value = match ? Number(match[1]) * UNITS[match[2]!]! : 0;
  if (value === 0) throw new InvalidArgumentError('It is a number with a unit: 500ms, 30s, 10m or 24h.');
  return value;
}

/** Reads `30s`, `10m` or `24h` as whole seconds. */
export function seconds(text: string): number {
  const value = milliseconds(text) / 1_000;
  if (!Number.isInteger(value)) throw new InvalidArgumentError('It is a whole number of seconds: 30s, 10m or 24h.');
  return value;
}

/** A moment as the API takes it. */
export interface Moment {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Reads a moment, to the millisecond: RFC 3339 with a zone, or seconds since the epoch. */
export function moment(text: string): Moment {
  if (/^\d{1,12}$/.test(text)) return { seconds: BigInt(text), nanos: 0 };
  const milliseconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (!(milliseconds >= 0))
    throw new InvalidArgumentError('It is a time like 2026-03-01T12:00:00Z, or seconds since 1970.');
  return { seconds: BigInt(Math.floor(milliseconds / 1_000)), nanos: (milliseconds % 1_000) * 1_000_000 };
}

/** Reads a position in the ledger. */
export function ledgerIndex(text: string): bigint {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 0.');
  return BigInt(text);
}

/** Reads how many of something are wanted. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 1.');
  return Number(text);
}

/** Accepts an address of a service, without a path: `https://host:port`, or `unix:/path` of its socket. */
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

/** The path in `unix:/path` or `unix:///path`; undefined: the text is another address. */
export function socketPath(text: string): string | undefined {
  return /^unix:(?:\/\/)?(\/[^/].*)$/.exec(text)?.[1];
}

/** Reads the SPIFFE ID of a workload. */
export function workloadId(text: string): string {
  if (!isWorkloadId(text)) throw new InvalidArgumentError('It is a SPIFFE ID like spiffe://example.org/ect.');
  return text;
}

/** Reads who calls, for a policy. */
export function callerName(text: string): string {
  if (isCallerName(text)) return text;
  throw new InvalidArgumentError(
    'It is a SPIFFE ID like spiffe://prod.example/payments, the name of an OIDC subject (a URI, like https://idp.example/user-7), or anonymous.',
  );
}

/** Collects an option that may be given several times. */
export function each(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** Reads a file that an option names; `-` is stdin. */
export async function readBytes(io: Io, path: string): Promise<Buffer> {
  if (path === '-') return buffer(io.stdin);
  try {
    return await readFile(path);
  } catch (cause) {
    throw cannotRead(path, cause);
  }
}

/** Reads text that is given as it stands, as `-` (stdin) or as `@file`. Blanks around it are dropped. */
export async function readText(io: Io, argument: string): Promise<string> {
  const path = argument === '-' ? '-' : argument.startsWith('@') ? argument.slice(1) : undefined;
  const text = path === undefined ? argument : (await readBytes(io, path)).toString('utf8');
  return text.trim();
}

/** SHA-256 of a file's exact octets as the hash claims write it. The file is read in pieces and never sent anywhere. */
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
