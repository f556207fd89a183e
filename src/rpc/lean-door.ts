// The lean door: unary calls of gRPC, gRPC-Web and Connect straight on the engine of h2/. It reads one message, runs the same
// call as every other door, and writes one message. What is unusual (compression, text mode, a timeout that cannot be read) it
// leaves to the Connect door, which answers it in full.

import type { EctError } from '../errors.ts';
import { Body, type Receiver, type RequestHead, type Stream } from '../h2/index.ts';
import { writtenBytes } from './answer-room.ts';
import { punish } from './answered-at-once.ts';
import { StreamArrival } from './arrivals.ts';
import { type BatchField, batchFieldOf } from './batch-field.ts';
import type { AnyService } from './call.ts';
import type { Calls } from './calls.ts';
import { createDirectForms, type DirectForm, type FieldsFor } from './direct-forms.ts';
import { createFrameEncoder, type FrameEncoder } from './encoder.ts';
import { FRAME_PREFIX_BYTES, writeFrame } from './grpc-frame.ts';
import { type Method, methodTable } from './method-table.ts';
import type { OpenCall } from './open-call.ts';
import { TOO_MUCH_AT_ONCE } from './overload.ts';
import { SYNC_BYTES } from './reading/limits.ts';
import { readMessage } from './reading/read-message.ts';
import { JSON_OPTIONS } from './unary-message.ts';
import { writeMessage } from './writing/write-message.ts';

/** Serves a stream if it is a plain unary call of a known method; otherwise `undefined`. */
export type LeanDoor = (stream: Stream) => Receiver | undefined;

interface LeanRoute extends Method {
  /** The repeated messages of the answer, where it has such a field. */
  readonly list: BatchField | undefined;
  /** Whether room for its answers is reserved before they are made. */
  readonly isLarge: boolean;
  readonly encode: FrameEncoder;
}

/** Makes the door for every unary method of the services. Pages may read its answers as `fieldsFor` says. */
export function createLeanDoor(
  services: readonly AnyService[],
  calls: Calls,
  fieldsFor: FieldsFor = () => ({}),
): LeanDoor {
  const routes = createRoutes(services);
  const directFormOf = createDirectForms(fieldsFor);
  return (stream) => {
    const { head } = stream;
    const route = routes.get(head.path);
    const form = route === undefined ? undefined : directFormOf(head);
    if (route === undefined || form === undefined) return undefined;
    const timeoutMs = readTimeout(form, head);
    if (timeoutMs === 'unreadable') return undefined;
    const arrival = new StreamArrival(route.name, form.protocol, stream);
    const call = calls.open(arrival, 'unary', timeoutMs, route.access);
    if (call.stopped !== undefined) return new Refusal(stream, form, call, call.stopped);
    call.weight = route.weight;
    if (route.isLarge) call.reserve = (bytes) => stream.reserveAnswer(writtenBytes(bytes, form));
    return receive(stream, form, route.maxBytes, call, calls, (message) => {
      calls.enter(call, message.length, () => void answer(stream, form, route, call, message));
    });
  };

  async function answer(
    stream: Stream,
    form: DirectForm,
    route: LeanRoute,
    call: OpenCall,
    message: Buffer,
  ): Promise<void> {
    try {
      // A small message is read at once, and needs no signal, which most calls never make.
      const signal = message.length > SYNC_BYTES ? call.signal : undefined;
      const read = () => readMessage(route.descriptor.input, form.codec, message, signal);
      const { service, descriptor } = route;
      const written = await calls.perform(service, descriptor.localName, read, call, (answer) =>
        writeAnswer(form, route, answer, call),
      );
      form.answer(stream, written);
    } catch (thrown) {
      refuseCall(stream, form, call, thrown as EctError);
    }
  }
}

/** Reads the body up to the limit of the method, and hands over its one message. `onMessage` may throw EctError. */
function receive(
  stream: Stream,
  form: DirectForm,
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
    refuseCall(stream, form, call, error);
  };
  // A deadline that passes ends the call at once, wherever it is: its body trickles in, it stands in line, or it is stuck.
  call.onStop(end);
  const judge = () => {
    if (!open) return;
    try {
      onMessage(form.messageIn(body.read(), maxBytes));
    } catch (thrown) {
      end(thrown as EctError);
    }
  };
  return {
    onData: (part) => {
      if (!open) return stream.consumed(part.length);
      if (!body.add(part)) return end(TOO_MUCH_AT_ONCE);
      // No more is kept than tells what is wrong with it.
      if (form.isTooLong(body, maxBytes)) judge();
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

/** The message of an answer, in its frame where the form has frames. */
function writeAnswer(form: DirectForm, route: LeanRoute, answer: unknown, call: OpenCall): Buffer | Promise<Buffer> {
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
 * Refuses a call that was stopped when it came. What was read with its headers is let go first: of a small call that is all,
 * and nothing of it needs to be reset.
 */
class Refusal implements Receiver {
  readonly #stream: Stream;
  readonly #form: DirectForm;
  readonly #call: OpenCall;
  readonly #error: EctError;

  constructor(stream: Stream, form: DirectForm, call: OpenCall, error: EctError) {
    this.#stream = stream;
    this.#form = form;
    this.#call = call;
    this.#error = error;
  }

  onData(part: Buffer): void {
    this.#stream.consumed(part.length);
  }

  onEnd(): void {
    refuseCall(this.#stream, this.#form, this.#call, this.#error);
  }

  onRead(): void {
    refuseCall(this.#stream, this.#form, this.#call, this.#error);
  }

  onGone(): void {
    this.#call.abandon();
  }
}

/** Ends a call with an error. What is unread of the request is let go. */
function refuseCall(stream: Stream, form: DirectForm, call: OpenCall, error: EctError): void {
  call.finish(error);
  if (!stream.isClosed) form.refuse(stream, error);
  punish(stream, call.penalty);
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

function readTimeout(form: DirectForm, head: RequestHead): number | undefined | 'unreadable' {
  try {
    return form.timeoutMs(head);
  } catch {
    return 'unreadable';
  }
}
