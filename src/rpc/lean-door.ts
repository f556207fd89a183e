// The lean door: unary gRPC calls straight on the engine of h2/. It reads one frame, runs the same call as every other
// door, and writes one frame and the trailer. Whatever is unusual (compression, JSON, another protocol, a timeout that
// cannot be read) it leaves to the Connect door, which answers it in full.

import type { DescMethodUnary } from '@bufbuild/protobuf';
import { EctError, refuse } from '../errors.ts';
import type { Events } from '../events.ts';
import { Body, headerOf, type Receiver, type RequestHead, type Stream, writeHeaderBlock } from '../h2/index.ts';
import type { AnyService } from './call.ts';
import { type Calls, OVERLOADED } from './calls.ts';
import { readGrpcTimeout } from './deadline.ts';
import { createMessageDecoder, type MessageDecoder } from './decoder.ts';
import { createFrameEncoder, type FrameEncoder } from './encoder.ts';
import { FRAME_PREFIX_BYTES, type FrameFault, readOnlyFrame } from './grpc-frame.ts';
import type { OpenCall } from './open-call.ts';
import { grpcTrailer } from './wire-errors.ts';

/** Serves a stream if it is a plain unary gRPC call of a known method; otherwise `undefined`. */
export type LeanDoor = (stream: Stream) => Receiver | undefined;

interface LeanRoute {
  readonly service: AnyService;
  readonly method: DescMethodUnary;
  /** `ect.v1.AuthorityService/Issue`. */
  readonly name: string;
  readonly maxBytes: number;
  readonly decode: MessageDecoder;
  readonly encode: FrameEncoder;
}

/** Makes the door for every unary method of the services. */
export function createLeanDoor(services: readonly AnyService[], calls: Calls, events: Events): LeanDoor {
  const routes = createRoutes(services);
  return (stream) => {
    const { head, socket } = stream;
    const route = routes.get(head.path);
    if (route === undefined || !isPlain(head)) return undefined;
    const timeoutMs = readTimeout(headerOf(head, 'grpc-timeout'));
    if (timeoutMs === 'unreadable') return undefined;
    const call = calls.open({ method: route.name, protocol: 'grpc', socket }, 'unary', timeoutMs, route.service.access);
    if (call.stopped !== undefined) return new Refusal(stream, call, call.stopped);
    return receive(stream, route, call, (message) => {
      const begin = () => {
        // Who was stopped in line has been refused already.
        if (call.stopped === undefined) void answer(stream, route, call, message);
      };
      calls.enter(route.service, route.method.localName, call, begin);
    });
  };

  async function answer(stream: Stream, route: LeanRoute, call: OpenCall, message: Buffer): Promise<void> {
    try {
      const read = () => parse(route, message);
      const response = await calls.perform(route.service, route.method.localName, read, call);
      stream.answer(OK_HEADERS, route.encode(response as object), OK_TRAILER);
    } catch (thrown) {
      if (!(thrown instanceof EctError)) events.bug(route.name, thrown);
      refuseCall(stream, call, thrown instanceof EctError ? thrown : unwritable());
    }
  }
}

/** Reads the body up to the limit of the method, and hands over its one message. `onMessage` may throw EctError. */
function receive(stream: Stream, route: LeanRoute, call: OpenCall, onMessage: (message: Buffer) => void): Receiver {
  const body = new Body(stream);
  let open = true;
  const end = (error: EctError) => {
    if (!open) return;
    open = false;
    refuseCall(stream, call, error);
  };
  // A deadline that passes ends the call at once, wherever it is: its body trickles in, it stands in line, or it is stuck.
  call.onStop(end);
  const judge = () => {
    if (!open) return;
    const frame = readOnlyFrame(body.read(), route.maxBytes);
    if (typeof frame === 'string') return end(faultOf(frame, route));
    try {
      onMessage(frame);
    } catch (thrown) {
      end(thrown as EctError);
    }
  };
  return {
    onData: (part) => {
      if (!open) return stream.consumed(part.length);
      if (!body.add(part))
        return end(new EctError(refuse('SERVICE_OVERLOADED', 'the connection sends too much at once')));
      // Nothing is buffered in vain: one message, and of a second one what tells what is wrong with it.
      const limit = FRAME_PREFIX_BYTES + route.maxBytes;
      if (announcedBytes(body.read()) > route.maxBytes || body.length > 2 * limit) judge();
    },
    onEnd: judge,
    onGone: () => call.abandon(),
  };
}

const FAULTS: Readonly<Record<Exclude<FrameFault, 'large'>, string>> = {
  empty: 'the call has no message',
  compressed: 'the message is compressed, but no compression was announced',
  short: 'a message is shorter than its frame announces',
  more: 'the call has more than one message',
};

function faultOf(fault: FrameFault, { maxBytes }: LeanRoute): EctError {
  if (fault !== 'large') return malformed(FAULTS[fault]);
  return new EctError(refuse('MESSAGE_TOO_LARGE', `the message is larger than ${maxBytes} bytes`));
}

/** The length that a frame announces, as soon as it can be read. */
function announcedBytes(start: Buffer): number {
  return start.length < FRAME_PREFIX_BYTES ? 0 : start.readUInt32BE(1);
}

function parse({ decode }: LeanRoute, message: Buffer): unknown {
  try {
    return decode(message);
  } catch {
    // The parser's own words may quote the request.
    throw malformed('the message is not valid protobuf for this method');
  }
}

const OK_FIELDS = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;
/** Made once: blocks mean the same on every connection. */
const OK_HEADERS = writeHeaderBlock(OK_FIELDS);
const OK_TRAILER = writeHeaderBlock([['grpc-status', '0']]);
const OVERLOADED_BLOCK = refusalBlock(OVERLOADED);

/**
 * Refuses a call that was stopped when it came. What was read with its headers is let go first: of a small call that is all,
 * and nothing of it needs to be reset.
 */
class Refusal implements Receiver {
  readonly #stream: Stream;
  readonly #call: OpenCall;
  readonly #error: EctError;

  constructor(stream: Stream, call: OpenCall, error: EctError) {
    this.#stream = stream;
    this.#call = call;
    this.#error = error;
  }

  onData(part: Buffer): void {
    this.#stream.consumed(part.length);
  }

  onEnd(): void {
    refuseCall(this.#stream, this.#call, this.#error);
  }

  onRead(): void {
    refuseCall(this.#stream, this.#call, this.#error);
  }

  onGone(): void {
    this.#call.abandon();
  }
}

/** Ends a call with an error: one HEADERS frame that is the trailer too. What is unread of the request is let go. */
function refuseCall(stream: Stream, call: OpenCall, error: EctError): void {
  call.finish(error);
  stream.respond(error === OVERLOADED ? OVERLOADED_BLOCK : refusalBlock(error), true);
}

function refusalBlock(error: EctError): Buffer {
  return writeHeaderBlock([...OK_FIELDS, ...Object.entries(grpcTrailer(error))]);
}

function createRoutes(services: readonly AnyService[]): ReadonlyMap<string, LeanRoute> {
  const routes = new Map<string, LeanRoute>();
  for (const service of services) {
    const { descriptor, maxRequestBytes } = service;
    for (const method of descriptor.methods) {
      if (method.methodKind !== 'unary') continue;
      const name = `${descriptor.typeName}/${method.name}`;
      const maxBytes = maxRequestBytes[method.localName] ?? maxRequestBytes['*'];
      const decode = createMessageDecoder(method.input);
      const encode = createFrameEncoder(method.output);
      routes.set(`/${name}`, { service, method: method as DescMethodUnary, name, maxBytes, decode, encode });
    }
  }
  return routes;
}

function isPlain(head: RequestHead): boolean {
  const type = headerOf(head, 'content-type');
  const encoding = headerOf(head, 'grpc-encoding');
  return (
    head.method === 'POST' &&
    (type === 'application/grpc' || type === 'application/grpc+proto') &&
    (encoding === undefined || encoding === 'identity')
  );
}

function readTimeout(value: string | readonly string[] | undefined): number | undefined | 'unreadable' {
  if (value === undefined) return undefined;
  try {
    return readGrpcTimeout(String(value));
  } catch {
    return 'unreadable';
  }
}

function malformed(message: string): EctError {
  return new EctError(refuse('REQUEST_MALFORMED', message));
}

/** A procedure answered something that its method cannot carry: our own mistake. */
function unwritable(): EctError {
  return new EctError(refuse('INTERNAL', 'the service failed'));
}
