// The routes of the Connect runtime: for each method of each service one handler, which reads and writes messages in
// all three protocols and leaves the call itself to `calls.ts`.

import { createRegistry, type DescMessage, type DescMethod, type MessageInitShape } from '@bufbuild/protobuf';
import { ConnectError, createConnectRouter, createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { compressionGzip } from '@connectrpc/connect-node';
import { EctError } from '../errors.ts';
import { file_google_rpc_error_details } from '../gen/google/rpc/error_details_pb.ts';
import type { AnyService } from './call.ts';
import type { Calls } from './calls.ts';
import { toConnectError } from './errors.ts';
import type { OpenCall } from './open-call.ts';
import { explainUnreadable } from './unreadable.ts';

export interface Route {
  readonly handler: UniversalHandler;
  readonly method: string;
  readonly kind: 'unary' | 'stream';
  readonly maxBytes: number;
  readonly access: AnyService['access'];
}

/** Where a handler finds the call that the door has opened. */
export const openCallKey = createContextKey<OpenCall | undefined>(undefined);

/** What stands behind an Any in our answers: the details of a batch's items that failed. Only JSON has to look it up. */
const DETAILS = createRegistry(file_google_rpc_error_details);

/** The routes by path. Throws TypeError for a service that lacks a procedure: that is a mistake of its author. */
export function createRoutes(services: readonly AnyService[], calls: Calls): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const service of services) {
    for (const method of service.descriptor.methods) {
      const maxBytes = service.maxRequestBytes[method.localName] ?? service.maxRequestBytes['*'];
      // Answers are never compressed: they are hashes and signatures, and secrets of two callers never share a window.
      const router = createConnectRouter({
        acceptCompression: [compressionGzip],
        compressMinBytes: Number.MAX_SAFE_INTEGER,
        readMaxBytes: maxBytes,
        // A misspelt field would be a request that says less than its caller meant: a token without its predecessors.
        // `valid: false` and `index: 0` are answers: people and languages without the schema read what is there, not what
        // may be left out. Whoever has the schema reads both forms alike.
        jsonOptions: { ignoreUnknownFields: false, registry: DETAILS, alwaysEmitImplicit: true },
      });
      // The runtime's type for the implementation of *any* method is `never`.
      router.rpc(method, implement(service, method, calls, maxBytes) as never);
      for (const handler of router.handlers) {
        const kind = method.methodKind === 'unary' ? 'unary' : 'stream';
        const { access } = service;
        routes.set(handler.requestPath, { handler, method: handler.requestPath.slice(1), kind, maxBytes, access });
      }
    }
  }
  return routes;
}

function implement(service: AnyService, method: DescMethod, calls: Calls, maxBytes: number) {
  const { localName } = method;
  const procedure = method.methodKind === 'unary' ? service.procedures[localName] : service.streams?.[localName];
  if (procedure === undefined) throw new TypeError(`${service.descriptor.typeName} has no procedure ${localName}`);
  if (method.methodKind === 'unary') {
    return (request: unknown, context: HandlerContext) =>
      calls.run(service, localName, () => request, callOf(context)).then(asAnswer, throwAsConnectError);
  }
  const isBidi = method.methodKind === 'bidi_streaming';
  return (request: unknown, context: HandlerContext) => {
    const readable = isBidi ? readRequests(request as AsyncIterable<unknown>, maxBytes) : request;
    return asAnswers(calls.stream(service, localName, readable, callOf(context)));
  };
}

/** The requests of a stream; what the runtime cannot read of them is an error of ours. */
async function* readRequests(requests: AsyncIterable<unknown>, maxBytes: number): AsyncGenerator<unknown> {
  try {
    yield* requests;
  } catch (thrown) {
    if (!(thrown instanceof ConnectError)) throw thrown;
    throw thrown.cause instanceof EctError ? thrown.cause : explainUnreadable(thrown.code, thrown.rawMessage, maxBytes);
  }
}

function callOf(context: HandlerContext): OpenCall {
  const call = context.values.get(openCallKey);
  if (call === undefined) throw new TypeError('a call was not opened by the door');
  return call;
}

// A procedure's answer fits its method: `Service` says so to the compiler, which cannot follow it through a loop.
function asAnswer(answer: unknown): MessageInitShape<DescMessage> {
  return answer as MessageInitShape<DescMessage>;
}

function throwAsConnectError(error: EctError): never {
  throw toConnectError(error);
}

async function* asAnswers(answers: AsyncIterable<unknown>): AsyncGenerator<MessageInitShape<DescMessage>> {
  try {
    for await (const answer of answers) yield asAnswer(answer);
  } catch (error) {
    throw toConnectError(error as EctError);
  }
}
