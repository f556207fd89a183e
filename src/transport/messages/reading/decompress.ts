// Decompresses a request (RFC 1952) outside the event loop. A few bytes of gzip can announce megabytes, so the announced size is checked
// first, and no more than that is decompressed.

import { promisify } from 'node:util';
import { crc32, type InflateRaw, inflateRaw } from 'node:zlib';
import { MAX_RATIO } from '../../../calls/message-limits.ts';
import { EctError, reject } from '../../../errors.ts';
import { malformed } from './faults.ts';

/** Above this size a request may be at most this many times as large as its compressed form. */
const RATIO_FROM_BYTES = 256 * 1024;

/** Larger messages are decompressed so many at once, as many as Node has threads for it. */
const LARGE_BYTES = 64 * 1024;
const MAX_LARGE_AT_ONCE = 4;

const HEADER_BYTES = 10;
/** CRC-32 and size. */
const TRAILER_BYTES = 8;

interface Inflated {
  readonly buffer: Buffer;
  readonly engine: InflateRaw;
}

const inflate = promisify(inflateRaw) as unknown as (
  bytes: Uint8Array,
  options: { readonly info: true; readonly maxOutputLength: number },
) => Promise<Inflated>;

/**
 * The size of a message in this encoding (`gzip`, or `identity`) when it is decompressed, as it announces it. Throws EctError:
 * REQUEST_MALFORMED, MESSAGE_TOO_LARGE.
 */
export function announcedSize(encoding: string, bytes: Uint8Array, maxBytes: number): number {
  if (isIdentity(encoding)) {
    if (bytes.length > maxBytes) throw tooLarge(maxBytes);
    return bytes.length;
  }
  if (encoding !== 'gzip') throw malformed('the compression is not supported: use gzip or none');
  const { size } = readMember(bytes);
  if (size > maxBytes) throw tooLarge(maxBytes);
  if (size > RATIO_FROM_BYTES && size > MAX_RATIO * bytes.length) {
    const message = `the message is more than ${MAX_RATIO} times as large as its compressed form`;
    throw new EctError(reject('MESSAGE_TOO_LARGE', message, { limit_ratio: String(MAX_RATIO) }));
  }
  return size;
}

/**
 * Decompresses a message to the size that it announces, which was checked. A gzip file may have several members; here it has one, and
 * nothing after it. Rejects with REQUEST_MALFORMED, and with the reason of `signal` if that was aborted before it began.
 */
export async function decompress(encoding: string, bytes: Buffer, signal?: AbortSignal): Promise<Buffer> {
  if (isIdentity(encoding)) return bytes;
  const { deflated, size, checksum } = readMember(bytes);
  const work = () => inflateTo(deflated, size);
  const { buffer, engine } = await (size > LARGE_BYTES ? inTurn(work, signal) : work());
  const isWhole = engine.bytesWritten === deflated.length && buffer.length === size;
  if (!isWhole || crc32(buffer) !== checksum) throw undecodable();
  return buffer;
}

export function isIdentity(encoding: string): boolean {
  return encoding === 'identity' || encoding === '';
}

/** The parts of a gzip member. */
function readMember(bytes: Uint8Array) {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = endOfHeader(input);
  const end = input.length - TRAILER_BYTES;
  if (start === undefined || end < start) throw undecodable();
  return { deflated: input.subarray(start, end), checksum: input.readUInt32LE(end), size: input.readUInt32LE(end + 4) };
}

let atOnce = 0;
const waiting: (() => void)[] = [];

/**
 * zlib finishes what it was given, also for a call that has ended, which counts no more: calls with short deadlines could give it more than
 * it finishes.
 */
async function inTurn<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (atOnce < MAX_LARGE_AT_ONCE) atOnce++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    signal?.throwIfAborted();
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) atOnce--;
    else next();
  }
}

async function inflateTo(deflated: Buffer, size: number): Promise<Inflated> {
  try {
    // zlib rejects a limit of 0.
    return await inflate(deflated, { info: true, maxOutputLength: Math.max(size, 1) });
  } catch {
    throw undecodable();
  }
}

/** Where the deflate data start; undefined: this is not a gzip header. */
function endOfHeader(input: Buffer): number | undefined {
  if (input.length < HEADER_BYTES || input.readUInt32BE(0) >>> 8 !== 0x1f8b08) return undefined;
  const flags = input[3]!;
  if ((flags & 0xe0) !== 0) return undefined;
  let at = HEADER_BYTES;
  if ((flags & 4) !== 0) at += 2 + (at + 2 <= input.length ? input.readUInt16LE(at) : 0);
  // File name and comment.
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const end = input.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  return (flags & 2) === 0 ? at : at + 2;
}

function tooLarge(maxBytes: number): EctError {
  const message = `the message is larger than ${maxBytes} bytes`;
  return new EctError(reject('MESSAGE_TOO_LARGE', message, { limit_bytes: String(maxBytes) }));
}

function undecodable(): EctError {
  return malformed('the message cannot be decompressed');
}
