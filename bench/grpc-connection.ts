// One HTTP/2 connection that makes gRPC calls whose bytes are ready beforehand. It costs a few microseconds a call, a
// tenth of node:http2's client, so that on its core it can offer more than the servers under test can take.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type SecureContextOptions, connect as secureConnect } from 'node:tls';
import {
  FLAG,
  FRAME,
  type Frame,
  type HeaderBlocks,
  MAX_FRAME_BYTES,
  PREFACE,
  readFrames,
  readGrpcStatus,
  readSettings,
  SETTING,
  writeFrame,
  writeSettings,
  writeTimeout,
  writeUint32,
} from './http2-frames.ts';

/** The window that HTTP/2 begins with. */
const DEFAULT_WINDOW = 65_535;
const MAX_WINDOW = 2 ** 31 - 1;
/** Answers that are read before the server is given new room. */
const REFILL_BYTES = 1 << 28;
const NO_ACK = Buffer.alloc(0);

/** The stream was reset, or it ended without a status. */
export const NO_STATUS = -1;

/** Learns the `grpc-status` of a call, or NO_STATUS. */
export type OnAnswer = (status: number) => void;

interface Stream {
  readonly body: Buffer;
  readonly onAnswer: OnAnswer;
  sent: number;
  window: number;
  status: number;
}

export class GrpcConnection {
  readonly #socket: Socket;
  readonly #blocks: HeaderBlocks;
  readonly #streams = new Map<number, Stream>();
  /** Streams whose body waits for room. */
  readonly #waiting = new Set<number>();
  #nextStream = 1;
  #window = DEFAULT_WINDOW;
  #streamWindow = DEFAULT_WINDOW;
  #unrefilled = 0;
  #rest: Buffer = NO_ACK;
  #outgoing: Buffer[] = [];
  /** How many calls the server takes at a time. */
  maxStreams = Number.POSITIVE_INFINITY;

  private constructor(socket: Socket, blocks: HeaderBlocks) {
    this.#socket = socket;
    this.#blocks = blocks;
  }

  /** Connects, and answers when the server has said its settings. `onLost` hears of a connection that ends by itself. */
  static async open(
    url: URL,
    blocks: HeaderBlocks,
    onLost: (why: string) => void,
    tls?: SecureContextOptions,
  ): Promise<GrpcConnection> {
    const place = { host: url.hostname, port: Number(url.port), noDelay: true };
    const socket = tls === undefined ? connect(place) : secureConnect({ ...place, ...tls, ALPNProtocols: ['h2'] });
    socket.setNoDelay();
    await once(socket, tls === undefined ? 'connect' : 'secureConnect');
    const connection = new GrpcConnection(socket, blocks);
    const settings = writeSettings([
      [SETTING.headerTableSize, 0],
      [SETTING.enablePush, 0],
      [SETTING.initialWindowSize, MAX_WINDOW],
    ]);
    const room = writeUint32(MAX_WINDOW - DEFAULT_WINDOW);
    socket.write(
      Buffer.concat([PREFACE, writeFrame(FRAME.settings, 0, 0, settings), writeFrame(FRAME.windowUpdate, 0, 0, room)]),
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.on('data', (chunk: Buffer) => {
      const bytes = connection.#rest.length === 0 ? chunk : Buffer.concat([connection.#rest, chunk]);
      connection.#rest = readFrames(bytes, (frame) => {
        if (frame.type === FRAME.settings) resolve();
        if (frame.type === FRAME.goAway) onLost(`the server sent GOAWAY ${frame.payload.readUInt32BE(4)}`);
        else connection.#read(frame);
      });
      connection.flush();
    });
    socket.on('error', (error) => onLost(error.message));
    socket.on('close', () => onLost('the server closed the connection'));
    await promise;
    return connection;
  }

  get open(): number {
    return this.#streams.size;
  }

  /** Begins a call, with a deadline where one is given. Its bytes leave with the next `flush`. */
  call(body: Buffer, onAnswer: OnAnswer, timeoutMs?: number): void {
    const id = this.#nextStream;
    this.#nextStream += 2;
    const block = id === 1 ? this.#blocks.first : this.#blocks.next;
    const headers = timeoutMs === undefined ? block : Buffer.concat([block, writeTimeout(timeoutMs)]);
    this.#outgoing.push(writeFrame(FRAME.headers, FLAG.endHeaders, id, headers));
    const stream = { body, onAnswer, sent: 0, window: this.#streamWindow, status: NO_STATUS };
    this.#streams.set(id, stream);
    if (!this.#sendBody(id, stream)) this.#waiting.add(id);
  }

  /** Sends what calls have left behind, in one write. */
  flush(): void {
    if (this.#outgoing.length === 0) return;
    this.#socket.write(Buffer.concat(this.#outgoing));
    this.#outgoing = [];
  }

  /** Ends the connection; calls in flight do not settle. */
  close(): void {
    this.#socket.removeAllListeners('close').destroy();
  }

  #sendBody(id: number, stream: Stream): boolean {
    const { body } = stream;
    while (stream.sent < body.length) {
      const size = Math.min(body.length - stream.sent, this.#window, stream.window, MAX_FRAME_BYTES);
      if (size <= 0) return false;
      const end = stream.sent + size;
      const flags = end === body.length ? FLAG.endStream : 0;
      this.#outgoing.push(writeFrame(FRAME.data, flags, id, body.subarray(stream.sent, end)));
      stream.sent = end;
      stream.window -= size;
      this.#window -= size;
    }
    return true;
  }

  #sendWaiting(): void {
    for (const id of this.#waiting) {
      if (this.#window <= 0) return;
      const stream = this.#streams.get(id);
      if (stream === undefined || this.#sendBody(id, stream)) this.#waiting.delete(id);
    }
  }

  #read({ type, flags, stream: id, payload }: Frame): void {
    const stream = this.#streams.get(id);
    switch (type) {
      case FRAME.headers:
        if (stream === undefined) return;
        stream.status = readGrpcStatus(payload) ?? stream.status;
        if ((flags & FLAG.endStream) !== 0) this.#finish(id, stream);
        return;
      case FRAME.data:
        this.#refill(payload.length);
        if (stream !== undefined && (flags & FLAG.endStream) !== 0) this.#finish(id, stream);
        return;
      case FRAME.reset:
        // After a whole answer the server may still reset a stream whose request it did not read to the end.
        if (stream !== undefined) this.#finish(id, stream);
        return;
      case FRAME.settings:
        if ((flags & FLAG.ack) === 0) this.#take(readSettings(payload));
        return;
      case FRAME.ping:
        if ((flags & FLAG.ack) === 0) this.#outgoing.push(writeFrame(FRAME.ping, FLAG.ack, 0, payload));
        return;
      case FRAME.windowUpdate:
        if (id === 0) this.#window += payload.readUInt32BE();
        else if (stream !== undefined) stream.window += payload.readUInt32BE();
        this.#sendWaiting();
        return;
      default:
    }
  }

  #finish(id: number, { status, onAnswer }: Stream): void {
    this.#streams.delete(id);
    this.#waiting.delete(id);
    onAnswer(status);
  }

  #take(settings: Map<number, number>): void {
    this.maxStreams = settings.get(SETTING.maxConcurrentStreams) ?? this.maxStreams;
    const window = settings.get(SETTING.initialWindowSize) ?? this.#streamWindow;
    for (const stream of this.#streams.values()) stream.window += window - this.#streamWindow;
    this.#streamWindow = window;
    this.#outgoing.push(writeFrame(FRAME.settings, FLAG.ack, 0, NO_ACK));
    this.#sendWaiting();
  }

  #refill(bytes: number): void {
    this.#unrefilled += bytes;
    if (this.#unrefilled < REFILL_BYTES) return;
    this.#outgoing.push(writeFrame(FRAME.windowUpdate, 0, 0, writeUint32(this.#unrefilled)));
    this.#unrefilled = 0;
  }
}
