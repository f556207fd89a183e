// The Connect runtime quotes a request that it cannot read. Half of a surrogate pair in such a sentence is more than it can
// write into a trailer, and it then throws instead of answering.

import { Code } from '@connectrpc/connect';
import { createAsyncIterable, encodeEnvelope, type UniversalHandler } from '@connectrpc/connect/protocol';
import { trailerFlag, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { wireFormOf } from '../wire-errors.ts';

/** The same handler; it answers INVALID_ARGUMENT without a sentence where it could not write its own. */
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
