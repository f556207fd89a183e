// The door for all three protocols (gRPC, gRPC-Web, Connect) and all methods, through the Connect runtime.

import { Http2ServerResponse } from 'node:http2';
import { type Code, createContextValues } from '@connectrpc/connect';
import type { UniversalServerRequest, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import { EctError, refuse } from '../errors.ts';
import type { Events } from '../events.ts';
import type { AnyService } from './call.ts';
import { callMemory, type Reserve } from './call-memory.ts';
import type { Calls } from './calls.ts';
import { createRoutes, exchangeKey, type Route } from './connect-routes.ts';
import { readConnectTimeout, readGrpcTimeout } from './deadline.ts';
import { type Explain, explainFailure } from './explain.ts';
import { protocolOf } from './gate.ts';
import { pathOf } from './method-table.ts';
import type { Arrival, OpenCall, Protocol } from './open-call.ts';
import { type NodeRequest, type NodeResponse, writeConnectError, writeProblem, writeRefusal } from './refusals.ts';
import { type BodyOptions, closeUnread, requestParts, requestWhole } from './request-body.ts';
import {
  type Exchange,
  hideMessage,
  readUnary,
  readUnaryGet,
  unaryForm,
  unaryGetForm,
  withAnswer,
} from './unary-message.ts';
import { explainUnreadable } from './unreadable.ts';

/** Serves a request if its path is a method. Answers whether it was. */
export type Door = (request: NodeRequest, response: NodeResponse) => boolean;

/** Makes the door. Throws TypeError for a service that lacks a procedure. */
export function createConnectDoor(services: readonly AnyService[], calls: Calls, events: Events): Door {
  const routes = createRoutes(services, calls);
  return (request, response) => {
    const route = routes.get(pathOf(request.url));
    if (route === undefined) return false;
    const protocol = protocolOf(request.headers['content-type']);
    const arrival = { method: route.name, protocol, socket: request.socket };
    const call = openCall(calls, route, arrival, request);
    if (call instanceof EctError) {
      writeRefusal(request, response, call);
      return true;
    }
    response.once('close', () => call.abandon());
    closeUnread(request, arrival.protocol);
    const reserve = callMemory(calls.resources.memory, call.account, response);
    serve(route, { calls, call, reserve }, events, request, response).catch((thrown: unknown) => {
      // The answer could not be written. A caller that has gone, or does not read, is no fault.
      if (call.stopped === undefined && !hasGone(response) && !isNoRoom(thrown)) events.bug(route.name, thrown);
      response.destroy();
    });
    return true;
  };
}

/** Whether the caller left while the answer was on its way to it. */
function hasGone(response: NodeResponse): boolean {
  return response instanceof Http2ServerResponse ? response.stream.destroyed : response.destroyed;
}

/** Opens the call, or refuses it for a timeout that cannot be read. */
function openCall(calls: Calls, route: Route, arrival: Arrival, request: NodeRequest): OpenCall | EctError {
  try {
    return calls.open(arrival, route.kind, timeoutOf(request, arrival.protocol), route.access, true);
  } catch (thrown) {
    if (!(thrown instanceof EctError)) throw thrown;
    calls.refused(arrival, thrown);
    return thrown;
  }
}

async function serve(
  route: Route,
  options: BodyOptions,
  events: Events,
  request: NodeRequest,
  response: NodeResponse,
): Promise<void> {
  const { call, reserve } = options;
  const exchange: Exchange = { call, form: undefined };
  const contextValues = createContextValues().set(exchangeKey, exchange);
  const universal = toUniversalRequest(request, response, contextValues);
  if (universal === undefined) {
    const error = new EctError(refuse('REQUEST_MALFORMED', 'the authority of the request cannot be read'));
    call.finish(error);
    writeRefusal(request, response, error);
    return;
  }
  // The deadline is kept by the call; the runtime would refuse a long one, and would not stop reading at a short one.
  universal.header.delete('grpc-timeout');
  universal.header.delete('connect-timeout-ms');
  const read = await readRequest(route, universal, exchange, options, request);
  if (read instanceof EctError) {
    call.finish(read);
    writeConnectError(response, read);
    return;
  }
  const answer = await route.handler(read);
  if (isBareRefusal(answer)) {
    const error = new EctError(refuse('REQUEST_MALFORMED', 'the method is not called this way'));
    call.finish(error);
    if (answer.status === 405) response.setHeader('allow', route.handler.allowedMethods.join(', '));
    writeProblem(response, answer.status, error);
    return;
  }
  const { form, answer: bytes } = exchange;
  const written = bytes === undefined || form === undefined ? answer : withAnswer(answer, bytes, form);
  const explained = await explainFailure(written, explainFor(route, call, events));
  // A stream writes its next message when the one before has been taken.
  const bounded = route.kind === 'unary' ? reserved(explained, reserve) : explained;
  await universalResponseToNodeResponse(bounded, response);
}

/** The request as the runtime gets it: of a unary call the message is read here, and in its place is an empty one. */
async function readRequest(
  route: Route,
  universal: UniversalServerRequest,
  exchange: Exchange,
  options: BodyOptions,
  request: NodeRequest,
): Promise<UniversalServerRequest | EctError> {
  const isPost = request.method === 'POST';
  const form = route.kind === 'stream' ? undefined : isPost ? unaryForm(universal.header) : unaryGetForm(universal.url);
  // What is no call of this kind is for the runtime to refuse: it reads nothing of it.
  if (form === undefined) return { ...universal, body: requestParts(request, options) };
  exchange.form = form;
  if (isPost) {
    hideMessage(universal.header);
    const whole = requestWhole(request, { isFramed: form.isFramed, maxBytes: route.maxBytes }, options);
    return { ...universal, body: readUnary(whole, route, exchange, form, options) };
  }
  try {
    const url = await readUnaryGet(universal.url, route, exchange, form, options);
    return { ...universal, url, body: requestParts(request, options) };
  } catch (thrown) {
    if (thrown instanceof EctError) return options.call.stopped ?? thrown;
    throw thrown;
  }
}

/** The answer, which waits in memory until it is read. Where there is no room for it, the response ends here. */
function reserved(answer: UniversalServerResponse, reserve: Reserve): UniversalServerResponse {
  const { body } = answer;
  if (body === undefined) return answer;
  async function* parts(): AsyncGenerator<Uint8Array> {
    for await (const part of body as AsyncIterable<Uint8Array>) {
      if (!reserve(part.byteLength)) throw NO_ROOM;
      yield part;
    }
  }
  return { ...answer, body: parts() };
}

const NO_ROOM = new EctError(refuse('SERVICE_OVERLOADED', 'answers that are not read take too much memory'));

function isNoRoom(thrown: unknown): boolean {
  return thrown === NO_ROOM || (thrown instanceof Error && thrown.cause === NO_ROOM);
}

/** What a failure of the runtime means depends on how far the call had come. */
function explainFor(route: Route, call: OpenCall, events: Events): Explain {
  return (code: Code, sentence: string) => {
    if (call.stage === 'unread') {
      const error = explainUnreadable(code, sentence, route.maxBytes);
      call.finish(error);
      return error;
    }
    // The procedure had answered, so the answer was at fault.
    events.bug(route.name, new Error(sentence));
    return new EctError(refuse('INTERNAL', 'the service failed'));
  };
}

function toUniversalRequest(
  request: NodeRequest,
  response: NodeResponse,
  values: ReturnType<typeof createContextValues>,
) {
  try {
    return universalRequestFromNodeRequest(request, response, undefined, values);
  } catch {
    return undefined; // No authority, or one that is no URL.
  }
}

/** The runtime refuses a verb, a content type or an HTTP version by a bare status. */
function isBareRefusal(answer: UniversalServerResponse): boolean {
  return answer.body === undefined && answer.status >= 400;
}

function timeoutOf(request: NodeRequest, protocol: Protocol): number | undefined {
  if (protocol === 'connect') return readConnectTimeout(headerOf(request, 'connect-timeout-ms'));
  return readGrpcTimeout(headerOf(request, 'grpc-timeout'));
}

function headerOf(request: NodeRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}
