// An HTTP/2 peer of an attacker: raw frames, with only so much of the protocol kept that the server goes on listening.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import {
  FLAG,
  FRAME,
  type Frame,
  MAX_FRAME_BYTES,
  readFrames,
  readSettings,
  SETTING,
  writeFrame,
} from '../../../bench/http2-frames.ts';
import { writeHeaderBlock } from '../../../src/http2-server/index.ts';
import { data, hello, many, update } from '../../http2-server/raw-frames.ts';
import type { Target } from '../support/target.ts';
import { openSocket } from './socket.ts';
import { tally } from './tally.ts';

export interface Peer {
  readonly socket: Socket;
  /** The number of the next stream. */
  nextId(): number;
  send(...pieces: readonly Uint8Array[]): void;
  /** Sends, and waits while the server does not take it. */
  push(...pieces: readonly Uint8Array[]): Promise<void>;
  /**
   * Sends these bytes as DATA within the windows of the server, and waits for them, until `isOver`; in frames of `partBytes`, else as
   * large as they may be.
   */
  upload(id: number, bytes: Buffer, isOver: () => boolean, partBytes?: number): Promise<void>;
  isClosed(): boolean;
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;
}

export interface PeerOptions {
  readonly settings?: readonly [number, number][];
  /** Called for each frame but for those of the connection itself. */
  readonly onFrame?: (frame: Frame) => void;
  /** `no`: nothing is taken from the socket. Default: all of it, and windows stay open. */
  readonly reads?: 'all' | 'no' | 'without-credit';
}

export async function openPeer(target: Target, options: PeerOptions = {}): Promise<Peer> {
  const { settings = [], onFrame = () => undefined, reads = 'all' } = options;
  const socket = await openSocket(target, 'h2');
  const windows = { connection: 65_535, stream: 65_535, granted: new Map<number, number>() };
  let rest: Buffer = Buffer.alloc(0);
  let last = -1;
  let taken = 0;

  function onConnectionFrame({ type, flags, stream, payload }: Frame): void {
    if (type === FRAME.settings && (flags & FLAG.ack) === 0) {
      windows.stream = readSettings(payload).get(SETTING.initialWindowSize) ?? windows.stream;
      socket.write(writeFrame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)));
    } else if (type === FRAME.ping && (flags & FLAG.ack) === 0) {
      socket.write(writeFrame(FRAME.ping, FLAG.ack, 0, payload));
    } else if (type === FRAME.windowUpdate) {
      const bytes = payload.readUInt32BE(0);
      if (stream === 0) windows.connection += bytes;
      else windows.granted.set(stream, (windows.granted.get(stream) ?? 0) + bytes);
    } else if (type === FRAME.data && reads === 'all') {
      taken += payload.length;
      if (taken < 1 << 15) return;
      socket.write(update(0, taken));
      taken = 0;
    }
  }

  if (reads === 'no') socket.pause();
  else {
    socket.on('data', (chunk: Buffer) => {
      rest = readFrames(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), (frame) => {
        onConnectionFrame(frame);
        onFrame(frame);
      });
    });
  }
  const closed = once(socket, 'close').then(() => undefined);
  const push = async (...pieces: readonly Uint8Array[]) => {
    if (!socket.writable || socket.write(Buffer.concat(pieces)) || socket.destroyed) return;
    // The service may end the connection at any time; what was not written then is no error of the attack.
    await Promise.race([new Promise((drained) => socket.once('drain', drained)), closed]);
  };
  socket.write(hello(...settings));
  return {
    socket,
    push,
    closed,
    nextId: () => {
      last += 2;
      return last;
    },
    send: (...pieces) => {
      if (socket.writable) socket.write(Buffer.concat(pieces));
    },
    async upload(id, bytes, isOver, partBytes = MAX_FRAME_BYTES) {
      for (let at = 0; at < bytes.length && !isOver() && !socket.destroyed; ) {
        const credit = windows.stream + (windows.granted.get(id) ?? 0) - at;
        const size = Math.min(MAX_FRAME_BYTES, bytes.length - at, credit, windows.connection);
        if (size > 0) {
          windows.connection -= size;
          await push(inParts(id, bytes.subarray(at, at + size), partBytes));
          tally('bytes of bodies', size);
          at += size;
        } else await pause(10);
      }
      windows.granted.delete(id);
    },
    isClosed: () => socket.destroyed,
  };
}

function inParts(id: number, bytes: Buffer, partBytes: number): Buffer {
  return many(Math.ceil(bytes.length / partBytes), (at) =>
    data(id, bytes.subarray(at * partBytes, (at + 1) * partBytes)),
  );
}

/** Whether a frame is the last of its stream, and how: an end or a reset. */
export function ends({ type, flags }: Frame): boolean {
  return type === FRAME.reset || ((type === FRAME.headers || type === FRAME.data) && (flags & FLAG.endStream) !== 0);
}

/** The content types of the protocols. */
export const CONTENT_TYPES = {
  grpc: 'application/grpc',
  'grpc-web': 'application/grpc-web',
  connect: 'application/proto',
  'connect-json': 'application/json',
} as const;
export type Protocol = keyof typeof CONTENT_TYPES;

/** The headers of a POST. */
export function callBlock(target: Target, path: string, type: string, ...more: [string, string][]): Buffer {
  return writeHeaderBlock([
    [':method', 'POST'],
    [':scheme', target.tls === undefined ? 'http' : 'https'],
    [':path', path],
    [':authority', `${target.host}:${target.port}`],
    ['content-type', type],
    ['te', 'trailers'],
    ...more,
  ]);
}

/** The last bytes of a request. */
export function finish(id: number, bytes: Uint8Array): Buffer {
  return writeFrame(FRAME.data, FLAG.endStream, id, bytes);
}
