// The unary fast path: serves unary calls of gRPC, gRPC-Web and Connect directly on `http2-server/`. It reads one message, runs the same
// call as the other transports, and writes one message. It leaves everything unusual (compression, text mode, an invalid timeout) to the
// Connect router.

import type { AnyService } from '../../calls/call.ts';
import type { Calls } from '../../calls/calls.ts';
import { type Method, methodTable } from '../../calls/method-table.ts';
import type { OpenCall } from '../../calls/open-call.ts';
import { TOO_MUCH_AT_ONCE } from '../../calls/overload.ts';
import type { EctError } from '../../errors.ts';
import { Body, type Receiver, type RequestHead, releaseBytes, type Stream } from '../../http2-server/index.ts';
import { JSON_OPTIONS } from '../connect/unary-message.ts';
import { applyPenalty } from '../http2/rejected-stream.ts';
import { type BatchField, batchFieldOf } from '../messages/batch-field.ts';
import { FRAME_PREFIX_BYTES, writeFrame } from '../messages/grpc-frame.ts';
import { SYNC_BYTES } from '../messages/reading/limits.ts';
import { readRequest } from '../messages/reading/read-request.ts';
import { writeMessage } from '../messages/writing/write-message.ts';
import { StreamArrival } from '../request-line.ts';
import { writtenBytes } from '../response-memory.ts';
import { createFrameEncoder, type FrameEncoder } from './encoder.ts';
import { createUnaryWireForms, type FieldsFor, type UnaryWireForm } from './wire-forms.ts';

/** Serves a stream if it is a plain unary call of a known method; otherwise returns `undefined`. */
export type UnaryFastPath = (stream: Stream) => Receiver | undefined;

interface FastPathRoute extends Method {
  /** The repeated messages of the response, if it has such a field. */
  readonly list: BatchField | undefined;
  /** Whether memory for its responses is reserved before they are created. */
  readonly isLarge: boolean;
  readonly encode: FrameEncoder;
}

/** Creates the transport for all unary methods of the services. `fieldsFor` returns the CORS fields of its responses. */
export function createUnaryFastPath(
  services: readonly AnyService[],
  calls: Calls,
  fieldsFor: FieldsFor = () => ({}),
): UnaryFastPath {
  const routes = createRoutes(services);
  const directFormOf = createUnaryWireForms(fieldsFor);
  return (stream) => {
    const { head } = stream;
    const route = routes.get(head.path);
    const form = route === undefined ? undefined : directFormOf(head);
    if (route === undefined || form === undefined) return undefined;
    const timeoutMs = readTimeout(form, head);
    if (timeoutMs === 'unreadable') return undefined;
    const arrival = new StreamArrival(route.name, form.protocol, stream);
    const call = calls.open(arrival, 'unary', timeoutMs, route.access);
    if (call.stopped !== undefined) return new Rejection(stream, form, call, call.stopped);
    call.weight = route.weight;
    if (route.isLarge) call.reserve = (bytes) => stream.reserveAnswer(writtenBytes(bytes, form));
    return receive(stream, form, route.maxBytes, call, calls, (message) => {
      const unread = new UnreadMessage(message);
      call.requestBytes = message.length;
      if (message.length > SYNC_BYTES) call.onStop(() => unread.drop());
      try {
        calls.enter(call, message.length, () => void answer(stream, form, route, call, unread));
      } catch (thrown) {
        unread.drop();
        throw thrown;
      }
    });
  };

  async function answer(
    stream: Stream,
    form: UnaryWireForm,
    route: FastPathRoute,
    call: OpenCall,
    unread: UnreadMessage,
  ): Promise<void> {
    try {
      const read = () => {
        const message = unread.take();
        // A small message is read synchronously and needs no signal; most calls never create one.
        const signal = message.length > SYNC_BYTES ? call.signal : undefined;
        return readRequest(route.descriptor.input, form.codec, message, signal);
      };
      const { service, descriptor } = route;
      const written = await calls.perform(service, descriptor.localName, read, call, (answer) =>
        writeAnswer(form, route, answer, call),
      );
      // The answer may wait for its reader, but nothing of the request does.
      stream.freeBody();
      form.answer(stream, written);
    } catch (thrown) {
      rejectCall(stream, form, call, thrown as EctError);
    }
  }
}

/** The bytes of a request until they are read. While the call runs, its message takes as much memory as they took. */
class UnreadMessage {
  #message: Buffer | undefined;

  constructor(message: Buffer) {
    this.#message = message;
  }

  take(): Buffer {
    const message = this.#message;
    if (message === undefined) throw new TypeError('a request is read once');
    this.#message = undefined;
    return message;
  }

  /** The call has ended. Frees the bytes, unless they were taken. */
  drop(): void {
    if (this.#message !== undefined) releaseBytes(this.#message);
    this.#message = undefined;
  }
}

/** Reads the body up to the limit of the method, and passes on its one message. `onMessage` may throw EctError. */
function receive(
  stream: Stream,
  form: UnaryWireForm,
  maxBytes: number,
  call: OpenCall,
  calls: Calls,
  onMessage: (message: Buffer) => void,
): Receiver {
  const body = new Body(stream);
  let open = true;
  const end = (error: EctError) => {
    if (!open) return;
    open = false;
    body.drop();
    rejectCall(stream, form, call, error);
  };
  // The deadline ends the call at every stage: while its body arrives, while it waits to start, and while it runs.
  call.onStop(end);
  const judge = () => {
    if (!open) return;
    try {
      onMessage(form.messageIn(body.take(), maxBytes));
    } catch (thrown) {
      end(thrown as EctError);
    }
  };
  return {
    onData: (part) => {
      if (!open) return stream.consumed(part.length);
      if (!body.add(part)) return end(TOO_MUCH_AT_ONCE);
      // Keeps only as many bytes as the error needs.
      if (form.isTooLong(body, maxBytes)) judge();
    },
    onRead: () => calls.arriving(call),
    onEnd: judge,
    onGone: () => {
      body.drop();
      call.abandon();
    },
  };
}

/** Longer lists are written in slices: a thousand tokens would block the event loop for 50 ms. */
const MAX_WRITTEN_AT_ONCE = 128;

function isLong({ list }: FastPathRoute, response: object): boolean {
  if (list === undefined) return false;
  const elements = (response as Record<string, readonly unknown[] | undefined>)[list.localName];
  return elements !== undefined && elements.length > MAX_WRITTEN_AT_ONCE;
}

/** The message of a response, with its frame if the protocol has frames. */
function writeAnswer(
  form: UnaryWireForm,
  route: FastPathRoute,
  answer: unknown,
  call: OpenCall,
): Buffer | Promise<Buffer> {
  const response = answer as Record<string, unknown>;
  const { codec, isFramed } = form;
  if (codec === 'proto' && !isLong(route, response)) {
    const frame = route.encode(response);
    return isFramed ? frame : frame.subarray(FRAME_PREFIX_BYTES);
  }
  const written = writeMessage(route.descriptor.output, codec, response, JSON_OPTIONS, call.signal);
  const finish = (message: Uint8Array) => (isFramed ? writeFrame(message) : asBuffer(message));
  return written instanceof Promise ? written.then(finish) : finish(written);
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/**
 * Rejects a call that was stopped before its body arrived. The bytes that arrived with the headers are released first: a small request is
 * complete then, so that its stream need not be reset.
 */
class Rejection implements Receiver {
  readonly #stream: Stream;
  readonly #form: UnaryWireForm;
  readonly #call: OpenCall;
  readonly #error: EctError;

  constructor(stream: Stream, form: UnaryWireForm, call: OpenCall, error: EctError) {
    this.#stream = stream;
    this.#form = form;
    this.#call = call;
    this.#error = error;
  }

  onData(part: Buffer): void {
    this.#stream.consumed(part.length);
  }

  onEnd(): void {
    rejectCall(this.#stream, this.#form, this.#call, this.#error);
  }

  onRead(): void {
    rejectCall(this.#stream, this.#form, this.#call, this.#error);
  }

  onGone(): void {
    this.#call.abandon();
  }
}

/** Ends a call with an error, and releases the unread rest of the request. */
function rejectCall(stream: Stream, form: UnaryWireForm, call: OpenCall, error: EctError): void {
  call.finish(error);
  if (!stream.isClosed) form.reject(stream, error);
  applyPenalty(stream, call.penalty);
}

function createRoutes(services: readonly AnyService[]): ReadonlyMap<string, FastPathRoute> {
  const routes = new Map<string, FastPathRoute>();
  for (const [path, method] of methodTable(services)) {
    if (method.kind !== 'unary') continue;
    const { output, localName } = method.descriptor;
    const isLarge = method.service.answerBytes?.[localName] !== undefined;
    routes.set(path, { ...method, isLarge, list: batchFieldOf(output), encode: createFrameEncoder(output) });
  }
  return routes;
}

function readTimeout(form: UnaryWireForm, head: RequestHead): number | undefined | 'unreadable' {
  try {
    return form.timeoutMs(head);
  } catch {
    return 'unreadable';
  }
}
