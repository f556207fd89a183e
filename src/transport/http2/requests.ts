// Serves the HTTP/2 requests that the unary fast path does not: streams, other protocols and encodings, pages.

import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Caller } from '../../authority/index.ts';
import { OwnContext } from '../../concurrency/own-context.ts';
import { type HeaderList, type Receiver, type Stream, writeHeaderBlock } from '../../http2-server/index.ts';
import type { UnreadCall, UnreadCalls } from '../../limits/index.ts';
import { isOutOfResponseMemory } from '../response-memory.ts';
import type { Handle, RoutedCall } from '../routed-request.ts';

/** What serving a stream needs. */
export interface StreamServing {
  readonly handle: Handle;
  /** The caller of the request. */
  readonly caller: Caller;
  /** Where the stream waits until its request is complete; undefined: it is served at once. */
  readonly unread: UnreadCalls | undefined;
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

/** Queues the parts of a body until they are read, within the flow-control window of the stream. */
class StreamExchange implements Receiver, UnreadCall, AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #stream: Stream;
  readonly #serving: StreamServing;
  /** The async context in which its headers arrived. */
  readonly #context = new OwnContext();
  #call: RoutedCall | undefined;
  #isGone = false;
  readonly #parts: Buffer[] = [];
  #isWhole = false;
  #wasRead = false;
  #isEnded = false;
  #wake: (() => void) | undefined;
  #drained: (() => void) | undefined;

  constructor(stream: Stream, serving: StreamServing) {
    this.#stream = stream;
    this.#serving = serving;
  }

  /** Work starts only now, because the bytes that arrived with the headers may have contained a reset. */
  onRead(): void {
    this.#wasRead = true;
    if (this.#serving.unread === undefined || this.#isWhole) this.#begin();
    else this.#serving.unread.add(this);
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
    const { caller, handle } = this.#serving;
    const request = { httpVersion: '2.0', method, target, url, header, body: this, socket, caller, reserveAnswer };
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
    if (this.#isEnded) {
      this.#stream.consumed(part.length);
      return;
    }
    // A copy, because the buffer is reused.
    this.#parts.push(Buffer.from(part));
    this.#wakeReader();
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
      const part = this.#parts.shift();
      if (part !== undefined) {
        this.#stream.consumed(part.length);
        return { done: false, value: part };
      }
      if (this.#isWhole) return { done: true, value: undefined };
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
    for (const part of this.#parts.splice(0)) this.#stream.consumed(part.length);
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
