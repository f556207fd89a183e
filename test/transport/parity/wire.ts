// A connection that sends exactly the frames that a test orders, in exactly these packets. A client library would end
// the body before it resets a stream, and would not leave its window shut.

import { once } from 'node:events';
import { connect } from 'node:net';
import {
  FLAG,
  FRAME,
  type Frame,
  PREFACE,
  readFrames,
  writeFrame,
  writeSettings,
  writeUint32,
} from '../../../bench/http2-frames.ts';
import type { Side } from './both-transports.ts';
import { ISSUE } from './permissive-transports.ts';

/** The stream of the one call of a wire. */
const STREAM = 1;

export interface Wire extends Disposable {
  /** Sends these in one piece. */
  send(...frames: readonly Buffer[]): void;
  /** The server has read what was sent. */
  settled(): Promise<void>;
  /** What has arrived for the stream. */
  readonly received: readonly Frame[];
}

/** Opens one. Settings are pairs of id and value. */
export async function openWire(side: Side, settings: readonly (readonly [number, number])[] = []): Promise<Wire> {
  const socket = connect(side.server.address.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const received: Frame[] = [];
  const pongs: (() => void)[] = [];
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.from(
      readFrames(Buffer.concat([rest, chunk]), (frame) => {
        if (frame.type === FRAME.ping) pongs.shift()?.();
        else if (frame.stream === STREAM) received.push({ ...frame, payload: Buffer.from(frame.payload) });
      }),
    );
  });
  socket.write(Buffer.concat([PREFACE, writeFrame(FRAME.settings, 0, 0, writeSettings(settings))]));
  const wire: Wire = {
    received,
    send: (...frames) => void socket.write(Buffer.concat(frames)),
    async settled() {
      const { promise, resolve } = Promise.withResolvers<void>();
      pongs.push(resolve);
      wire.send(writeFrame(FRAME.ping, 0, 0, Buffer.alloc(8)));
      await promise;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
  await wire.settled();
  return wire;
}

/** The headers of a call, in HPACK's plainest form: each name in the static table, each value as it is. */
export function headers(path = ISSUE, contentType = 'application/grpc'): Buffer {
  const [post, http] = [0x83, 0x86];
  const text = (value: string) => Buffer.from([value.length, ...Buffer.from(value)]);
  const named = [
    [0x44, path],
    [0x41, '127.0.0.1'],
    [0x5f, contentType],
  ] as const;
  const fields = named.map(([name, value]) => Buffer.concat([Buffer.of(name), text(value)]));
  return writeFrame(FRAME.headers, FLAG.endHeaders, STREAM, Buffer.concat([Buffer.of(post, http), ...fields]));
}

export function data(bytes: Uint8Array, end = false): Buffer {
  return writeFrame(FRAME.data, end ? FLAG.endStream : 0, STREAM, bytes);
}

export function reset(code: number): Buffer {
  return writeFrame(FRAME.reset, 0, STREAM, writeUint32(code));
}
