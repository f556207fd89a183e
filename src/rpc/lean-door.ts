// The lean door: unary gRPC calls straight on the engine of h2/. It reads one frame, runs the same call as every other
// door, and writes one frame and the trailer. Whatever is unusual (compression, JSON, another protocol, a timeout that
// cannot be read) it leaves to the Connect door, which answers it in full.

import { EctError, refuse } from '../errors.ts';
import { Body, headerOf, type Receiver, type RequestHead, type Stream, writeHeaderBlock } from '../h2/index.ts';
import { punish } from './answered-at-once.ts';
import { type BatchField, batchFieldOf } from './batch-field.ts';
import type { AnyService } from './call.ts';
import { type Calls, OVERLOADED } from './calls.ts';
import { readGrpcTimeout } from './deadline.ts';
import { createFrameEncoder, type FrameEncoder } from './encoder.ts';
import { announcedBytes, FRAME_PREFIX_BYTES, frameError, readOnlyFrame, writeFrame } from './grpc-frame.ts';
import { type Method, methodTable } from './method-table.ts';
import type { OpenCall } from './open-call.ts';
import { SYNC_BYTES } from './reading/limits.ts';
import { readMessage } from './reading/read-message.ts';
import { grpcTrailer } from './wire-errors.ts';
import { writeMessage } from './writing/write-message.ts';

/** Serves a stream if it is a plain unary gRPC call of a known method; otherwise `undefined`. */
export type LeanDoor = (stream: Stream) => Receiver | undefined;

interface LeanRoute extends Method {
  /** The repeated messages of the answer, where it has such a field. */
  readonly list: BatchField | undefined;
  /** Whether room for its answers is reserved before they are made. */
  readonly isLarge: boolean;
  readonly encode: FrameEncoder;
}

/** Makes the door for every unary method of the services. */
export function createLeanDoor(services: readonly AnyService[], calls: Calls): LeanDoor {
  const routes = createRoutes(services);
  return (stream) => {
    const { head, socket } = stream;
    const route = routes.get(head.path);
    if (route === undefined || !isPlain(head)) return undefined;
    const timeoutMs = readTimeout(headerOf(head, 'grpc-timeout'));
    if (timeoutMs === 'unreadable') return undefined;
    const call = calls.open({ method: route.name, protocol: 'grpc', socket }, 'unary', timeoutMs, route.access);
    if (call.stopped !== undefined) return new Refusal(stream, call, call.stopped);
    call.weight = route.weight;
    if (route.isLarge) call.reserve = (bytes) => stream.reserveAnswer(FRAME_PREFIX_BYTES + bytes);
    return receive(stream, route, call, calls, (message) => {
      calls.enter(call, message.length, () => void answer(stream, route, call, message));
    });
  };

  async function answer(stream: Stream, route: LeanRoute, call: OpenCall, message: Buffer): Promise<void> {
    try {
      // A small message is read at once, and needs no signal, which most calls never make.
      const signal = message.length > SYNC_BYTES ? call.signal : undefined;
      const read = () => readMessage(route.descriptor.input, 'proto', message, signal);
      const { service, descriptor } = route;
      const frame = await calls.perform(service, descriptor.localName, read, call, (answer) =>
        writeAnswer(route, answer, call),
      );
      stream.answer(OK_HEADERS, frame, OK_TRAILER);
    } catch (thrown) {
      refuseCall(stream, call, thrown as EctError);
    }
  }
}

/** Reads the body up to the limit of the method, and hands over its one message. `onMessage` may throw EctError. */
function receive(
  stream: Stream,
  route: LeanRoute,
  call: OpenCall,
  calls: Calls,
  onMessage: (message: Buffer) => void,
): Receiver {
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
    if (typeof frame === 'string') return end(frameError(frame, route.maxBytes));
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
      if (announcedBytes(body.head) > route.maxBytes || body.length > 2 * limit) judge();
    },
    onRead: () => calls.arriving(call),
    onEnd: judge,
    onGone: () => call.abandon(),
  };
}

/** Lists of more elements are written in slices: a thousand tokens would hold the event loop for 50 ms. */
const MAX_WRITTEN_AT_ONCE = 128;

function isLong({ list }: LeanRoute, response: object): boolean {
  if (list === undefined) return false;
  const elements = (response as Record<string, readonly unknown[] | undefined>)[list.localName];
  return elements !== undefined && elements.length > MAX_WRITTEN_AT_ONCE;
}

function writeAnswer(route: LeanRoute, answer: unknown, call: OpenCall): Buffer | Promise<Buffer> {
  const response = answer as object;
  return isLong(route, response) ? writeInSlices(route, response, call.signal) : route.encode(response);
}

async function writeInSlices({ descriptor }: LeanRoute, response: object, signal: AbortSignal): Promise<Buffer> {
  const message = response as Record<string, unknown>;
  return writeFrame(await writeMessage(descriptor.output, 'proto', message, undefined, signal));
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
  punish(stream, call.penalty);
}

function refusalBlock(error: EctError): Buffer {
  return writeHeaderBlock([...OK_FIELDS, ...Object.entries(grpcTrailer(error))]);
}

function createRoutes(services: readonly AnyService[]): ReadonlyMap<string, LeanRoute> {
  const routes = new Map<string, LeanRoute>();
  for (const [path, method] of methodTable(services)) {
    if (method.kind !== 'unary') continue;
    const { output, localName } = method.descriptor;
    const isLarge = method.service.answerBytes?.[localName] !== undefined;
    routes.set(path, { ...method, isLarge, list: batchFieldOf(output), encode: createFrameEncoder(output) });
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
