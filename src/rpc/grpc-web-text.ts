// gRPC-Web in text mode: the bytes of gRPC-Web in base64, in both directions. Browsers that cannot read binary streams send it, as
// the official client does by default. Around what serves binary gRPC-Web.

import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { EctError, refuse } from '../errors.ts';
import { asResponse, refusalMessage } from './refusals.ts';
import type { Handle, RoutedRequest } from './routed-request.ts';
import { GRPC_WEB_TEXT } from './wire-errors.ts';

export function transcodeText(handle: Handle): Handle {
  return (request, evict) => {
    const type = request.header.get('content-type') ?? '';
    if (!GRPC_WEB_TEXT.test(type)) return handle(request, evict);
    const header = new Headers(request.header);
    header.set('content-type', type.replace(GRPC_WEB_TEXT, 'application/grpc-web'));
    // It is that of the text.
    header.delete('content-length');
    const body = new DecodedBody(request.body);
    const call = handle({ ...request, header, body }, evict);
    const response = call.response.then((answer) =>
      body.isUnreadable ? unreadable(request, type) : asText(answer, type),
    );
    return { response, close: () => call.close() };
  };
}

/** The bytes behind base64 in parts that end anywhere; padding may end each message. What is no base64 ends the body. */
class DecodedBody implements AsyncIterable<Uint8Array> {
  readonly #text: AsyncIterable<Uint8Array>;
  isUnreadable = false;

  constructor(text: AsyncIterable<Uint8Array>) {
    this.#text = text;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let rest = '';
    for await (const part of this.#text) {
      const text = rest + Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('latin1');
      const whole = text.length - (text.length % 4);
      rest = text.slice(whole);
      const bytes = decode(text.slice(0, whole));
      if (bytes === undefined) {
        this.isUnreadable = true;
        return;
      }
      if (bytes.length > 0) yield bytes;
    }
    this.isUnreadable = rest !== '';
  }
}

/** Groups of four, any of which may be padded. Undefined: it is something else. */
function decode(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/=]*$/.test(text)) return undefined;
  if (!text.includes('=')) return Buffer.from(text, 'base64');
  const pieces: Buffer[] = [];
  for (const piece of text.match(/[^=]+={0,2}|=+/g) ?? []) {
    const bytes = Buffer.from(piece, 'base64');
    if (piece.length % 4 !== 0 || bytes.toString('base64') !== piece) return undefined;
    pieces.push(bytes);
  }
  return Buffer.concat(pieces);
}

/** Each part is padded on its own, so that a message of a stream leaves when it is there. */
function asText(answer: UniversalServerResponse, type: string): UniversalServerResponse {
  const header = new Headers(answer.header);
  if (!(header.get('content-type') ?? '').startsWith('application/grpc-web')) return answer;
  header.set('content-type', type);
  header.delete('content-length');
  const { body } = answer;
  return body === undefined ? { ...answer, header } : { ...answer, header, body: encoded(body) };
}

async function* encoded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const part of body) {
    yield Buffer.from(Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('base64'), 'latin1');
  }
}

function unreadable({ method }: RoutedRequest, type: string): UniversalServerResponse {
  const error = new EctError(refuse('REQUEST_MALFORMED', 'the body is not base64'));
  return asResponse(refusalMessage(method, type, error));
}
