// The routes of the Connect runtime: one handler for each method of each service. It reads and writes messages in all three protocols and
// leaves the call itself to `calls.ts`.

import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf';
import { ConnectError, createConnectRouter, createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { compressionGzip } from '@connectrpc/connect-node';
import type { AnyService } from '../../calls/call.ts';
import type { Calls } from '../../calls/calls.ts';
import { toConnectError } from '../../calls/errors.ts';
import { type Method, methodTable } from '../../calls/method-table.ts';
import { EctError } from '../../errors.ts';
import { type Exchange, writeUnary } from './unary-message.ts';
import { explainUnreadable } from './unreadable.ts';
import { alwaysAnswering } from './unwritable.ts';

export interface Route extends Method {
  readonly handler: UniversalHandler;
}

/** The context keys under which a handler finds the opened call and its messages. */
export const exchangeKey = createContextKey<Exchange | undefined>(undefined);

/** The routes by path. Throws TypeError for a service without a procedure for a method, which is a bug. */
export function createRoutes(services: readonly AnyService[], calls: Calls): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const [path, method] of methodTable(services)) {
    // Responses are not compressed: hashes and signatures do not shrink, and data of two callers must not share a compression window.
    const router = createConnectRouter({
      acceptCompression: [compressionGzip],
      compressMinBytes: Number.MAX_SAFE_INTEGER,
      readMaxBytes: method.maxBytes,
      // A misspelt JSON field is rejected, because ignoring it would change the meaning of the request. `writeUnary` writes the responses
      // of unary calls; there the runtime writes an empty message, which must have no default values.
      jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: method.kind === 'stream' },
    });
    // The runtime's type for the implementation of *any* method is `never`.
    router.rpc(method.descriptor, implement(method, calls) as never);
    for (const handler of router.handlers) routes.set(path, { ...method, handler: alwaysAnswering(handler) });
  }
  return routes;
}

function implement(method: Method, calls: Calls) {
  const { service, descriptor, kind, maxBytes } = method;
  const { localName, methodKind } = descriptor;
  const procedure = kind === 'unary' ? service.procedures[localName] : service.streams?.[localName];
  if (procedure === undefined) throw new TypeError(`${service.descriptor.typeName} has no procedure ${localName}`);
  if (kind === 'unary') {
    return async (_empty: unknown, context: HandlerContext) => {
      const exchange = exchangeOf(context);
      const { read, call } = exchange;
      if (read === undefined) throw new TypeError('a request has no message');
      try {
        await calls.run(service, localName, read, call, (answer) => writeUnary(method, answer, exchange));
        return {};
      } catch (thrown) {
        throw thrown instanceof EctError ? toConnectError(thrown) : thrown;
      }
    };
  }
  const isBidi = methodKind === 'bidi_streaming';
  return (request: unknown, context: HandlerContext) => {
    const readable = isBidi ? readRequests(request as AsyncIterable<unknown>, maxBytes) : request;
    return asAnswers(calls.stream(service, localName, readable, exchangeOf(context).call));
  };
}

/** The requests of a stream. What the runtime cannot read becomes an error of ours. */
async function* readRequests(requests: AsyncIterable<unknown>, maxBytes: number): AsyncGenerator<unknown> {
  try {
    yield* requests;
  } catch (thrown) {
    if (!(thrown instanceof ConnectError)) throw thrown;
    throw thrown.cause instanceof EctError ? thrown.cause : explainUnreadable(thrown.code, thrown.rawMessage, maxBytes);
  }
}

function exchangeOf(context: HandlerContext): Exchange {
  const exchange = context.values.get(exchangeKey);
  if (exchange === undefined) throw new TypeError('a call was not opened');
  return exchange;
}

// `Service` guarantees that the response fits its method; the compiler cannot check it in a loop.
function asAnswer(answer: unknown): MessageInitShape<DescMessage> {
  return answer as MessageInitShape<DescMessage>;
}

async function* asAnswers(answers: AsyncIterable<unknown>): AsyncGenerator<MessageInitShape<DescMessage>> {
  try {
    for await (const answer of answers) yield asAnswer(answer);
  } catch (error) {
    throw toConnectError(error as EctError);
  }
}
