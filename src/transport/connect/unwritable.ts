// The Connect runtime quotes an unreadable request in its error. It cannot write half of a surrogate pair into a trailer, and throws
// instead of responding.

import { Code } from '@connectrpc/connect';
import { createAsyncIterable, encodeEnvelope, type UniversalHandler } from '@connectrpc/connect/protocol';
import { trailerFlag, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { wireFormOf } from '../wire-errors.ts';

/** Wraps a handler: if it throws for that reason, the response is INVALID_ARGUMENT without a message. */
export function alwaysAnswering(handler: UniversalHandler): UniversalHandler {
  const answering: typeof handler = Object.assign(async (...[request]: Parameters<UniversalHandler>) => {
    try {
      return await handler(request);
    } catch (thrown) {
      if (!(thrown instanceof URIError)) throw thrown;
      const contentType = request.header.get('content-type') ?? '';
      const header = new Headers({ 'content-type': contentType });
      const trailer = new Headers({ 'grpc-status': String(Code.InvalidArgument) });
      const isWeb = wireFormOf(contentType) === 'grpc-web';
      const body = createAsyncIterable(isWeb ? [encodeEnvelope(trailerFlag, trailerSerialize(trailer))] : []);
      return { status: 200, header, body, trailer: isWeb ? new Headers() : trailer };
    }
  }, handler);
  return answering;
}
