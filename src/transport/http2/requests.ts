// Serves the HTTP/2 requests that the unary fast path does not: streams, other protocols and encodings, pages.

import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Caller } from '../../authority/index.ts';
import { NO_ROOM_FOR_ARRIVING } from '../../calls/overload.ts';
import { OwnContext } from '../../concurrency/own-context.ts';
import type { EctError } from '../../errors.ts';
import {
  type HeaderList,
  JoinedBytes,
  type Receiver,
  type Stream,
  writeHeaderBlock,
} from '../../http2-server/index.ts';
import type { UnreadCall, UnreadCalls } from '../../limits/index.ts';
import { isOutOfResponseMemory } from '../response-memory.ts';
import type { Handle, RoutedCall } from '../routed-request.ts';

/** What serving a stream needs. */
export interface StreamServing {
  readonly handle: Handle;
  /** The caller of the request. */
  readonly caller: Caller;
  /**
   * For a request whose body is not read: it waits here until the body is complete, or too long. Undefined: the request is served at
   * once, and reads its body.
   */
  readonly unread: UnreadCalls | undefined;
  /** Resolves when it is the turn of this connection in the fair order of reading. */
  readonly turn: () => Promise<void>;
  /** Called when the request is passed to its handler, whose cost is not known yet. */
  readonly onBegun: () => void;
  /** Called for a stream that was reset before work was started for it. */
  readonly onAbandoned: () => void;
  /** Called for a response that could not be written, unless the peer has disconnected. */
  readonly onBug: (thrown: unknown) => void;
}

/** Serves a stream. */
export function serveStream(stream: Stream, serving: StreamServing): Receiver {
  return new StreamExchange(stream, serving);
}

/** A body that nobody reads is complete at this length: the request is served without the rest. */
const MAX_DISCARDED_BYTES = 16 * 1024;
/** The largest piece in which a body is read. */
const PIECE_BYTES = 16 * 1024;

/** Keeps a body until it is read, within the flow-control window of the stream and the memory budget. */
class StreamExchange implements Receiver, UnreadCall, AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #stream: Stream;
  readonly #serving: StreamServing;
  /** The async context in which its headers arrived. */
  readonly #context = new OwnContext();
  #call: RoutedCall | undefined;
  #isGone = false;
  readonly #body: JoinedBytes;
  #discardedBytes = 0;
  /** Set if there was no room for the body. */
  #failure: EctError | undefined;
  #isWhole = false;
  #wasRead = false;
  #isEnded = false;
  #wake: (() => void) | undefined;
  #drained: (() => void) | undefined;

  constructor(stream: Stream, serving: StreamServing) {
    this.#stream = stream;
    this.#serving = serving;
    this.#body = new JoinedBytes(stream, PIECE_BYTES);
  }

  /** Work starts only now, because the bytes that arrived with the headers may have contained a reset. */
  onRead(): void {
    this.#wasRead = true;
    if (this.#serving.unread === undefined || this.#isWhole || this.#isTooLong) this.#begin();
    else this.#serving.unread.add(this);
  }

  get #isTooLong(): boolean {
    return this.#discardedBytes > MAX_DISCARDED_BYTES;
  }

  #begin(): void {
    if (this.#call === undefined) this.#context.runInAsyncScope(() => this.#handle());
  }

  #handle(): void {
    const stream = this.#stream;
    const { head, socket } = stream;
    this.#serving.onBegun();
    const { header, url } = readHead(head.list);
    const { method, path: target } = head;
    const reserveAnswer = (bytes: number) => stream.reserveAnswer(bytes);
    const { caller, handle, turn } = this.#serving;
    const request = {
      httpVersion: '2.0',
      method,
      target,
      url,
      header,
      body: this,
      turn,
      socket,
      caller,
      reserveAnswer,
    };
    const call = handle(request, () => stream.evict());
    this.#call = call;
    call.response
      .then((answer) => this.#write(answer))
      .catch((thrown: unknown) => {
        if (!this.#isGone && !isOutOfResponseMemory(thrown)) this.#serving.onBug(thrown);
        stream.evict();
      })
      .finally(() => this.#end());
  }

  onData(part: Buffer): void {
    if (this.#serving.unread !== undefined || this.#isEnded || this.#failure !== undefined) this.#discard(part);
    else this.#keep(part);
  }

  #keep(part: Buffer): void {
    const unread = this.#body.length + part.length;
    if (!this.#body.add(part)) {
      // Its reader gets the error. Nothing is kept until then.
      this.#failure = NO_ROOM_FOR_ARRIVING;
      this.#body.clear();
      this.#stream.discarded(unread);
    }
    this.#wakeReader();
  }

  #discard(part: Buffer): void {
    this.#discardedBytes += part.length;
    this.#stream.discarded(part.length);
    if (this.#serving.unread === undefined || !this.#isTooLong || !this.#wasRead) return;
    this.#serving.unread.delete(this);
    this.#begin();
  }

  onEnd(): void {
    this.#isWhole = true;
    this.#wakeReader();
    this.#serving.unread?.delete(this);
    if (this.#wasRead) this.#begin();
  }

  giveUp(): void {
    this.#stream.evict();
  }

  onGone(): void {
    this.#isGone = true;
    this.#serving.unread?.delete(this);
    if (this.#call === undefined && !this.#isEnded) this.#serving.onAbandoned();
    this.#wakeReader();
    this.onDrained();
    this.#end();
  }

  onDrained(): void {
    this.#drained?.();
    this.#drained = undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const piece = this.#body.take();
      if (piece !== undefined) {
        this.#stream.consumed(piece.length);
        return { done: false, value: piece };
      }
      if (this.#isWhole || this.#serving.unread !== undefined) return { done: true, value: undefined };
      // A truncated body is not a request, even if it looks complete.
      if (this.#isGone) throw new Error('the stream was reset');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Writes a response as fast as its peer reads it. */
  async #write({ status, header, body, trailer }: UniversalServerResponse): Promise<void> {
    // The caller has disconnected: the body of the response is not created.
    if (this.#isGone) return;
    const block = writeHeaderBlock([[':status', String(status)], ...(header ?? [])]);
    // The response to HEAD has no content (RFC 9110, section 9.3.2).
    if (body === undefined || this.#stream.head.method === 'HEAD') {
      this.#stream.respond(block, true);
      return;
    }
    this.#stream.respond(block, false);
    for await (const part of body) {
      if (this.#isGone) return;
      if (!this.#stream.write(Buffer.from(part.buffer, part.byteOffset, part.byteLength))) {
        await new Promise<void>((resolve) => {
          this.#drained = resolve;
        });
      }
    }
    // Read only now: the runtime sets the trailer when the body has ended.
    const fields = [...(trailer ?? [])];
    this.#stream.end(fields.length === 0 ? undefined : writeHeaderBlock(fields));
  }

  /** Ends the exchange: nothing more is read, and the call ends if it has not ended. */
  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stream.discarded(this.#body.length);
    this.#body.clear();
    this.#call?.close();
  }

  #wakeReader(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** The header fields and the URL for a Connect handler; the URL is undefined if its authority is invalid. */
function readHead(list: HeaderList): { readonly header: Headers; readonly url: string | undefined } {
  const header = new Headers();
  const pseudo = new Map<string, string>();
  for (let at = 0; at < list.length; at += 2) {
    const name = list[at]!;
    if (name.startsWith(':')) pseudo.set(name, list[at + 1]!);
    else header.append(name, list[at + 1]!);
  }
  const authority = pseudo.get(':authority') ?? header.get('host');
  if (authority === null) return { header, url: undefined };
  const url = `${pseudo.get(':scheme')}://${authority}${pseudo.get(':path')}`;
  return { header, url: URL.canParse(url) ? url : undefined };
}
