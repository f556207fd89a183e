// Routes calls of all three protocols (gRPC, gRPC-Web, Connect) and of all methods through the Connect runtime.

import { type Code, createContextValues } from '@connectrpc/connect';
import {
  createAsyncIterable,
  type UniversalServerRequest,
  type UniversalServerResponse,
} from '@connectrpc/connect/protocol';
import type { AnyService } from '../../calls/call.ts';
import type { Calls } from '../../calls/calls.ts';
import { readConnectTimeout, readGrpcTimeout } from '../../calls/deadline.ts';
import { pathOf } from '../../calls/method-table.ts';
import type { Arrival, OpenCall, Protocol } from '../../calls/open-call.ts';
import { penaltyPaid } from '../../calls/penalty.ts';
import { EctError, reject } from '../../errors.ts';
import type { Events } from '../../telemetry/events.ts';
import { asResponse, connectError, problem, rejectionMessage } from '../rejections.ts';
import { protocolOf } from '../request-check.ts';
import { ResponseMemory, writtenBytes } from '../response-memory.ts';
import type { RoutedCall, RoutedRequest } from '../routed-request.ts';
import { type Explain, explainFailure } from './error-details.ts';
import { type BodyOptions, RequestMemory, requestMessages, requestParts, requestWhole } from './request-body.ts';
import { createRoutes, exchangeKey, type Route } from './routes.ts';
import {
  type Exchange,
  hideMessage,
  takeMessage,
  takeMessageOfGet,
  unaryForm,
  unaryGetForm,
  withAnswer,
} from './unary-message.ts';
import { explainUnreadable } from './unreadable.ts';

/** Routes a request if its path is a method. `evict` ends its transport, to free memory for others. */
export type Router = (request: RoutedRequest, evict: () => void) => RoutedCall | undefined;

/** Makes the router. `stopping`: of the service. Throws TypeError for a service that lacks a procedure. */
export function createConnectRouter(
  services: readonly AnyService[],
  calls: Calls,
  events: Events,
  stopping: AbortSignal,
): Router {
  const routes = createRoutes(services, calls);
  return (request, evict) => {
    const route = routes.get(pathOf(request.target));
    if (route === undefined) return undefined;
    const protocol = protocolOf(request.header.get('content-type') ?? undefined);
    const call = openCall(calls, route, { method: route.name, protocol, socket: request.socket }, request);
    if (call instanceof EctError) {
      return { response: Promise.resolve(uncached(rejection(request, call))), close: () => undefined };
    }
    const gone = new AbortController();
    const memory = calls.resources.memory.open(call.account, evict);
    const requestMemory = new RequestMemory(memory);
    const body: BodyOptions = { calls, call, memory: requestMemory, turn: request.turn };
    const room = new ResponseMemory(memory, request.reserveAnswer);
    const response = serve(route, body, room, events, request, gone.signal).then(async (answer) => {
      // The answer may wait for its reader, but nothing of the request does.
      if (route.kind === 'unary') requestMemory.freeBody();
      await penaltyPaid(call.penalty, [gone.signal, stopping]);
      return answer;
    });
    return {
      response: request.method === 'GET' ? response.then(uncached) : response,
      close: () => {
        gone.abort();
        call.abandon();
        memory.close();
      },
    };
  };
}

/** What a call is answered with depends on the caller, and a GET could be answered from a cache. */
function uncached(response: UniversalServerResponse): UniversalServerResponse {
  const header = response.header ?? new Headers();
  header.set('cache-control', 'no-store');
  return { ...response, header };
}

/** Opens the call, or rejects it for an invalid timeout. */
function openCall(calls: Calls, route: Route, arrival: Arrival, request: RoutedRequest): OpenCall | EctError {
  try {
    const timeoutMs = timeoutOf(request, arrival.protocol);
    return calls.openFor(request.caller, arrival, route.kind, timeoutMs, route.access);
  } catch (thrown) {
    if (!(thrown instanceof EctError)) throw thrown;
    calls.rejectedEarly(arrival, thrown);
    return thrown;
  }
}

async function serve(
  route: Route,
  options: BodyOptions,
  room: ResponseMemory,
  events: Events,
  request: RoutedRequest,
  signal: AbortSignal,
): Promise<UniversalServerResponse> {
  const { call } = options;
  const { httpVersion, method, url, header } = request;
  if (url === undefined) {
    const error = new EctError(reject('REQUEST_MALFORMED', 'the authority of the request cannot be read'));
    call.finish(error);
    return rejection(request, error);
  }
  const exchange: Exchange = { call, form: undefined };
  call.reserve = (bytes) => room.reserve(writtenBytes(bytes, exchange.form));
  const contextValues = createContextValues().set(exchangeKey, exchange);
  // The call itself enforces the deadline. The runtime would reject a long one, and would not stop reading at a short one.
  header.delete('grpc-timeout');
  header.delete('connect-timeout-ms');
  const universal = { httpVersion, method, url, header, signal, contextValues, body: request.body };
  const read = await readRequest(route, universal, exchange, options);
  if (read instanceof EctError) {
    call.finish(read);
    return method === 'POST' ? rejection(request, read) : asResponse(connectError(read));
  }
  const answer = await route.handler(read);
  if (isBareRejection(answer)) {
    const takesGet = route.handler.allowedMethods.includes('GET');
    const byGet = takesGet ? ', or by GET with ?connect=v1&encoding=json&message={} and no body' : '';
    const error = new EctError({
      ...reject(
        'REQUEST_MALFORMED',
        `the method is called by POST with content-type: application/json, or one of the other protocols${byGet}`,
      ),
      remedy: 'The API page (docs/api.md) shows a call of each method.',
    });
    call.finish(error);
    const response = asResponse(problem(answer.status, error));
    if (answer.status === 405) response.header?.set('allow', route.handler.allowedMethods.join(', '));
    return response;
  }
  const { form, answer: bytes } = exchange;
  const written = bytes === undefined || form === undefined ? answer : withAnswer(answer, bytes, form);
  const explained = await explainFailure(written, explainFor(route, call, events));
  return route.kind === 'unary' ? room.hold(explained) : room.holdEach(explained);
}

function rejection({ method, header }: RoutedRequest, error: EctError): UniversalServerResponse {
  return asResponse(rejectionMessage(method, header.get('content-type') ?? undefined, error));
}

/** The request for the runtime: the message of a unary call is taken out, and replaced by an empty one. */
async function readRequest(
  route: Route,
  universal: UniversalServerRequest & { readonly body: AsyncIterable<Uint8Array> },
  exchange: Exchange,
  options: BodyOptions,
): Promise<UniversalServerRequest | EctError> {
  const isPost = universal.method === 'POST';
  if (route.kind === 'stream') return { ...universal, body: requestMessages(universal.body, route.maxBytes, options) };
  const form = isPost ? unaryForm(universal.header) : unaryGetForm(universal.url);
  // The runtime rejects a request that is not of this kind, and reads nothing of its body.
  if (form === undefined) return { ...universal, body: requestParts(universal.body, options) };
  exchange.form = form;
  try {
    if (!isPost) {
      const url = takeMessageOfGet(universal.url, route, exchange, form, options);
      return { ...universal, url, body: requestParts(universal.body, options) };
    }
    hideMessage(universal.header);
    // The body is read before the runtime is called, so that nothing is created for an incomplete request.
    const whole = await requestWhole(universal.body, { isFramed: form.isFramed, maxBytes: route.maxBytes }, options);
    return { ...universal, body: createAsyncIterable([takeMessage(whole, route, exchange, form, options)]) };
  } catch (thrown) {
    if (thrown instanceof EctError) return options.call.stopped ?? thrown;
    throw thrown;
  }
}

/** The meaning of an error of the runtime depends on the stage of the call. */
function explainFor(route: Route, call: OpenCall, events: Events): Explain {
  return (code: Code, sentence: string) => {
    if (call.stage === 'unread') {
      const error = explainUnreadable(code, sentence, route.maxBytes);
      call.finish(error);
      return error;
    }
    // The procedure had returned, so the response was invalid.
    events.bug(route.name, new Error(sentence));
    return new EctError(reject('INTERNAL', 'the service failed'));
  };
}

/** The runtime rejects a method, a content type or an HTTP version by a bare status. */
function isBareRejection(answer: UniversalServerResponse): boolean {
  return answer.body === undefined && answer.status >= 400;
}

function timeoutOf({ header }: RoutedRequest, protocol: Protocol): number | undefined {
  if (protocol === 'connect') return readConnectTimeout(header.get('connect-timeout-ms') ?? undefined);
  return readGrpcTimeout(header.get('grpc-timeout') ?? undefined);
}
