// The way from our connections to Node's own HTTP/2 server, for requests that are not made for the short way: streams, other
// encodings, pages. A connection that needs it gets one inner connection in memory, and each such stream one of that.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ErrorCode } from './connection-error.ts';
import { Flag } from './frames.ts';
import { writeHeaderBlock } from './header-writer.ts';
import type { HeaderList } from './hpack.ts';
import { memoryLine } from './memory-line.ts';
import type { Receiver, Stream } from './stream.ts';

export class Passage {
  readonly #socket: Socket;
  readonly #onInner: (inner: Duplex) => void;
  #session: ClientHttp2Session | undefined;

  /** `onInner` gives the server its end of a new inner connection. */
  constructor(socket: Socket, onInner: (inner: Duplex) => void) {
    this.#socket = socket;
    this.#onInner = onInner;
    // It closes when its streams have: each is cancelled by its own.
    socket.once('close', () => this.#session?.close());
  }

  /** Hands a request over. */
  carry(stream: Stream): Receiver {
    // From here on a reset comes too late to spare us anything.
    stream.hasBegun = true;
    try {
      const options = { endStream: stream.remoteEnded, waitForTrailers: !stream.remoteEnded };
      return join(stream, this.#open().request(stream.head.list, options));
    } catch {
      // Node's client keeps stricter rules than the protocol: what it does not send, its server would not take.
      stream.reset(ErrorCode.PROTOCOL_ERROR);
      return NOBODY;
    }
  }

  #open(): ClientHttp2Session {
    const present = this.#session;
    if (present !== undefined && !present.closed && !present.destroyed) return present;
    const [near, far] = memoryLine();
    this.#onInner(far);
    const session = connect('http://inner', { createConnection: () => near, settings: { enablePush: false } });
    // Every stream on it is told, and each tells its own.
    session.on('error', () => undefined);
    this.#session = session;
    if (this.#socket.destroyed) session.close();
    return session;
  }
}

const NOBODY: Receiver = { onData: () => undefined, onEnd: () => undefined, onGone: () => undefined };

function join(stream: Stream, inner: ClientHttp2Stream): Receiver {
  let requestTrailers: HeaderList = [];
  let trailers: Buffer | undefined;
  let isWhole = false;
  const respond = (raw: readonly string[], flags: number) => {
    const isAll = (flags & Flag.END_STREAM) !== 0;
    isWhole ||= isAll;
    stream.respond(blockOf(raw), isAll);
  };
  inner.on('headers', (_headers: IncomingHttpHeaders, flags: number, raw: string[]) => respond(raw, flags));
  inner.on('response', (_headers: IncomingHttpHeaders, flags: number, raw: string[]) => {
    respond(raw, flags);
    // Not earlier: the body may be there before the response is told.
    inner.on('data', (part: Buffer) => {
      if (!stream.write(part)) inner.pause();
    });
  });
  inner.on('trailers', (_headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
    trailers = blockOf(raw);
  });
  inner.on('end', () => {
    // A stream that was reset ends too, as if it were whole.
    if (inner.rstCode !== ErrorCode.NO_ERROR) return;
    isWhole = true;
    // By then the trailers that came with the end have been told.
    setImmediate(() => stream.end(trailers));
  });
  inner.on('wantTrailers', () => {
    try {
      inner.sendTrailers(fieldsOf(requestTrailers));
    } catch {
      // They are the peer's: Node throws at some that the protocol allows, and nobody above would catch it.
      stream.reset(ErrorCode.PROTOCOL_ERROR);
    }
  });
  inner.on('error', () => undefined);
  inner.on('close', () => {
    if (!isWhole) stream.reset(inner.rstCode || ErrorCode.INTERNAL_ERROR);
  });
  return {
    onData: (part) => {
      // A copy: what was lent must not be kept.
      inner.write(Buffer.from(part), () => stream.consumed(part.length));
    },
    onEnd: (fields) => {
      requestTrailers = fields;
      inner.end();
    },
    onGone: () => inner.close(ErrorCode.CANCEL),
    onDrained: () => inner.resume(),
  };
}

function blockOf(raw: readonly string[]): Buffer {
  return writeHeaderBlock(raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]!] as const] : [])));
}

function fieldsOf(list: HeaderList): Record<string, string[]> {
  // No prototype: a field may have any name.
  const fields = Object.create(null) as Record<string, string[]>;
  for (let at = 0; at < list.length; at += 2) {
    const name = list[at]!;
    fields[name] = [...(fields[name] ?? []), list[at + 1]!];
  }
  return fields;
}
