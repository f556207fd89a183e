// Frames as a test orders them, right or wrong.

import { FLAG, FRAME, PREFACE, writeFrame, writeSettings, writeUint32 } from '../../bench/http2-frames.ts';
import { writeHeaderBlock } from '../../src/http2-server/index.ts';
import type { Peer } from './raw-peer.ts';

export const PRIORITY = 2;
export const PUSH_PROMISE = 5;
export const CONTINUATION = 9;
export const PADDED = 8;
export const HAS_PRIORITY = 0x20;

/** The codes of GOAWAY and RST_STREAM. */
export const CODE = {
  none: 0,
  protocol: 1,
  internal: 2,
  flow: 3,
  closed: 5,
  size: 6,
  rejected: 7,
  compression: 9,
  calm: 11,
} as const;

/** A header block of a request, in HPACK's plainest form. */
export function requestBlock(...more: readonly (readonly [string, string])[]): Buffer {
  return writeHeaderBlock([[':method', 'POST'], [':scheme', 'http'], [':path', '/x'], ...more]);
}

/** A request that has begun, and one that is complete. */
export function begin(id = 1, block = requestBlock()): Buffer {
  return writeFrame(FRAME.headers, FLAG.endHeaders, id, block);
}

export function whole(id = 1, block = requestBlock()): Buffer {
  return writeFrame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, id, block);
}

export function data(id: number, bytes: string | Buffer, flags = 0): Buffer {
  return writeFrame(FRAME.data, flags, id, Buffer.from(bytes));
}

export function end(id: number, bytes = ''): Buffer {
  return data(id, bytes, FLAG.endStream);
}

export function reset(id: number): Buffer {
  return writeFrame(FRAME.reset, 0, id, writeUint32(8));
}

export function update(id: number, bytes: number): Buffer {
  return writeFrame(FRAME.windowUpdate, 0, id, writeUint32(bytes));
}

export function setting(id: number, value: number): Buffer {
  return writeFrame(FRAME.settings, 0, 0, writeSettings([[id, value]]));
}

export function ping(flags = 0): Buffer {
  return writeFrame(FRAME.ping, flags, 0, Buffer.alloc(8));
}

/** What a client says first, with these settings. */
export function hello(...settings: [number, number][]): Buffer {
  return Buffer.concat([PREFACE, writeFrame(FRAME.settings, 0, 0, writeSettings(settings))]);
}

export function many(count: number, make: (place: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, at) => make(at)));
}

/** Whether the answer of this stream has ended. */
export function answered({ frames }: Peer, id: number): boolean {
  return frames.some(({ type, flags, stream }) => type === FRAME.headers && (flags & 1) === 1 && stream === id);
}

/** The resets that have come, each with its stream and code. */
export function resets({ frames }: Peer): [stream: number, code: number][] {
  return frames
    .filter(({ type }) => type === FRAME.reset)
    .map(({ stream, payload }) => [stream, payload.readUInt32BE(0)]);
}
