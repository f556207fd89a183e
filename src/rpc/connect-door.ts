// The door for all three protocols (gRPC, gRPC-Web, Connect) and all methods, through the Connect runtime.

import { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { type Code, createContextValues } from '@connectrpc/connect';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import { EctError, refuse } from '../errors.ts';
import type { Events } from '../events.ts';
import type { AnyService } from './call.ts';
import type { Calls } from './calls.ts';
import { createRoutes, openCallKey, type Route } from './connect-routes.ts';
import { readConnectTimeout, readGrpcTimeout } from './deadline.ts';
import { type Explain, explainFailure } from './explain.ts';
import type { Arrival, OpenCall, Protocol } from './open-call.ts';
import { type NodeRequest, type NodeResponse, writeProblem, writeRefusal } from './refusals.ts';
import { closeUnread, requestBody } from './request-body.ts';
import { explainUnreadable } from './unreadable.ts';
import { wireFormOf } from './wire-errors.ts';

/** Serves a request if its path is a method. Answers whether it was. */
export type Door = (request: NodeRequest, response: NodeResponse) => boolean;

/** Makes the door. Throws TypeError for a service that lacks a procedure. */
export function createConnectDoor(services: readonly AnyService[], calls: Calls, events: Events): Door {
  const routes = createRoutes(services, calls);
  return (request, response) => {
    const route = routes.get(pathOf(request));
    if (route === undefined) return false;
    const arrival = { method: route.method, protocol: protocolOf(request), socket: socketOf(request) };
    const call = openCall(calls, route, arrival, request);
    if (call instanceof EctError) {
      writeRefusal(request, response, call);
      return true;
    }
    response.once('close', () => call.abandon());
    closeUnread(request, arrival.protocol);
    serve(route, call, events, request, response).catch((thrown: unknown) => {
      // The answer could not be written. A caller that has gone is no fault.
      if (call.stopped === undefined && !hasGone(response)) events.bug(route.method, thrown);
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
    return calls.open(arrival, route.kind, timeoutOf(request, arrival.protocol), route.access);
  } catch (thrown) {
    if (!(thrown instanceof EctError)) throw thrown;
    calls.refused(arrival, thrown);
    return thrown;
  }
}

async function serve(route: Route, call: OpenCall, events: Events, request: NodeRequest, response: NodeResponse) {
  const contextValues = createContextValues().set(openCallKey, call);
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
  const answer = await route.handler({ ...universal, body: requestBody(request, call) });
  if (isBareRefusal(answer)) {
    const error = new EctError(refuse('REQUEST_MALFORMED', 'the method is not called this way'));
    call.finish(error);
    if (answer.status === 405) response.setHeader('allow', route.handler.allowedMethods.join(', '));
    writeProblem(response, answer.status, error);
    return;
  }
  const explained = await explainFailure(answer, explainFor(route, call, events));
  await universalResponseToNodeResponse(explained, response);
}

/** What a failure of the runtime means depends on how far the call had come. */
function explainFor(route: Route, call: OpenCall, events: Events): Explain {
  return (code: Code, sentence: string) => {
    if (!call.entered) {
      const error = explainUnreadable(code, sentence, route.maxBytes);
      call.finish(error);
      return error;
    }
    // The procedure had answered, so the answer was at fault.
    events.bug(route.method, new Error(sentence));
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

function pathOf(request: NodeRequest): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

// On HTTP/2 this is a proxy of the socket, one for all calls of a session.
function socketOf(request: NodeRequest): Socket {
  return request.socket;
}

function protocolOf(request: NodeRequest): Protocol {
  const form = wireFormOf(request.headers['content-type']);
  return form === 'grpc' || form === 'grpc-web' ? form : 'connect';
}

function timeoutOf(request: NodeRequest, protocol: Protocol): number | undefined {
  if (protocol === 'connect') return readConnectTimeout(headerOf(request, 'connect-timeout-ms'));
  return readGrpcTimeout(headerOf(request, 'grpc-timeout'));
}

function headerOf(request: NodeRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}
