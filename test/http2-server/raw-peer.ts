// A server on a real port that answers every request, and a peer of it that sends exactly the bytes that a test orders.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { FLAG, FRAME, type Frame, PREFACE, readFrames, writeFrame } from '../../bench/http2-frames.ts';
import {
  Body,
  Connection,
  type ConnectionOptions,
  DEFAULT_LIMITS,
  type Limits,
  type Receiver,
  type Stream,
  writeHeaderBlock,
} from '../../src/http2-server/index.ts';

const PING = writeFrame(FRAME.ping, 0, 0, Buffer.alloc(8));
const HEADERS = writeHeaderBlock([[':status', '200']]);
const TRAILERS = writeHeaderBlock([['x-end', 'yes']]);

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly connections: Connection[];
  readonly failures: string[];
  /** Streams as they arrived, and those that were reported as ended. */
  readonly streams: Stream[];
  readonly gone: Stream[];
  /** Requests that were handed over whole. */
  readonly begun: number;
}

/** Takes everything and never answers. */
export const SILENT: Receiver = { onData: () => undefined, onEnd: () => undefined, onGone: () => undefined };

/** Answers with the body that came, or as `serve` says. */
export async function startServer(
  limits: Partial<Limits> = {},
  serve?: (stream: Stream) => Receiver,
  now?: () => number,
  options: Partial<ConnectionOptions> = {},
): Promise<TestServer> {
  const connections: Connection[] = [];
  const failures: string[] = [];
  const streams: Stream[] = [];
  const gone: Stream[] = [];
  const sockets = new Set<Socket>();
  let begun = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    connections.push(
      new Connection(socket, {
        limits: { ...DEFAULT_LIMITS, ...limits },
        serve: (stream) => {
          streams.push(stream);
          if (serve !== undefined) return serve(stream);
          const receiver = echo(stream, () => gone.push(stream));
          return {
            ...receiver,
            onEnd: (trailers) => {
              begun++;
              receiver.onEnd(trailers);
            },
          };
        },
        onFailure: (error) => failures.push(error.message),
        onBug: (thrown) => failures.push(String(thrown)),
        ...(now === undefined ? {} : { now }),
        ...options,
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    failures,
    streams,
    gone,
    get begun() {
      return begun;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers with what came. */
function echo(stream: Stream, onGone: () => void = () => undefined): Receiver {
  const body = new Body(stream);
  return {
    onData: (part) => {
      if (!body.add(part)) stream.respond(writeHeaderBlock([[':status', '413']]), true);
    },
    onEnd: () => stream.answer(HEADERS, body.take(), TRAILERS),
    onGone,
  };
}

export interface Peer extends Disposable {
  readonly socket: Socket;
  readonly frames: Frame[];
  /** Whether it answers PINGs of the server, as every client does. */
  answersPings: boolean;
  send(...pieces: readonly Uint8Array[]): void;
  /** Frames of this kind so far, after the server has read everything that was sent. */
  settled(): Promise<void>;
  /** The same, or until the connection is closed. */
  settledOrClosed(): Promise<void>;
  isClosed(): boolean;
  /** Waits until the connection is closed; answers the code of its GOAWAY. */
  closed(): Promise<number | undefined>;
}

/** Opens a connection and says what every client says first, unless the options say otherwise. */
export async function openPeer(
  { port }: { readonly port: number },
  hello: Uint8Array = Buffer.concat([PREFACE, writeFrame(FRAME.settings, 0, 0, Buffer.alloc(0))]),
): Promise<Peer> {
  const socket = connect(port, '127.0.0.1');
  const frames: Frame[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let pongs = 0;
  const waiting: (() => void)[] = [];
  let peer: Peer;
  socket.on('error', () => undefined);
  let isClosed = false;
  const closed = once(socket, 'close').then(() => {
    isClosed = true;
  });
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.from(
      readFrames(Buffer.concat([rest, chunk]), (frame) => {
        frames.push({ ...frame, payload: Buffer.from(frame.payload) });
        if (frame.type !== FRAME.ping) return;
        if ((frame.flags & FLAG.ack) === 0) {
          if (peer.answersPings) socket.write(writeFrame(FRAME.ping, FLAG.ack, 0, frame.payload));
          return;
        }
        pongs++;
        waiting.shift()?.();
      }),
    );
  });
  await once(socket, 'connect');
  // Each piece in a packet of its own, at once.
  socket.setNoDelay(true);
  socket.write(hello);
  peer = {
    socket,
    frames,
    answersPings: true,
    send: (...pieces) => void socket.write(Buffer.concat(pieces)),
    async settled() {
      const before = pongs;
      const pong = new Promise<void>((resolve) => waiting.push(resolve));
      socket.write(PING);
      await Promise.race([pong, closed.then(() => Promise.reject(new Error('the connection was closed')))]);
      if (pongs === before) throw new Error('no answer');
    },
    async settledOrClosed() {
      const pong = new Promise<void>((resolve) => waiting.push(resolve));
      if (!isClosed) socket.write(PING);
      await Promise.race([pong, closed]);
    },
    isClosed: () => isClosed,
    async closed() {
      await closed;
      return frames.find(({ type }) => type === FRAME.goAway)?.payload.readUInt32BE(4);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
  return peer;
}
