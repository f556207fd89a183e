// One call over HTTP/2 with nothing between the test and the stream, and its answer in the terms of gRPC.

import type * as http2 from 'node:http2';

export const GRPC = { 'content-type': 'application/grpc', te: 'trailers' };

export interface RawCall {
  readonly path: string;
  /** Default: POST. */
  readonly method?: string;
  /** Default: those of a plain gRPC call. */
  readonly headers?: http2.OutgoingHttpHeaders;
  /** The chunks of the body, one DATA frame each. */
  readonly body: readonly Uint8Array[];
  /** The request is not ended after the body. */
  readonly keepOpen?: boolean;
}

/**
 * What a gRPC client learns. Three things are the transport's own affair, and not among it: whether a failure came as headers
 * alone, whether protobuf is called `application/grpc` or `application/grpc+proto`, and which compression it can read.
 */
export interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly grpcStatus: string | undefined;
  readonly grpcMessage: string | undefined;
  /** `grpc-status-details-bin` without padding. */
  readonly details: string | undefined;
  /** The names of further headers and trailers that are not of HTTP itself. */
  readonly further: readonly string[];
  readonly body: Buffer;
  /** The code of the RST_STREAM that ended the stream; 0: none, or NO_ERROR. */
  readonly resetCode: number;
}

/** Makes the call and waits until its stream is closed. */
export function exchange(session: http2.ClientHttp2Session, call: RawCall): Promise<Answer> {
  const stream = openStream(session, call);
  const answer = answerOf(stream);
  for (const chunk of call.body) stream.write(chunk);
  if (call.keepOpen !== true) stream.end();
  return answer;
}

/** Sends the headers of a call. */
export function openStream(
  session: http2.ClientHttp2Session,
  { path, method = 'POST', headers = GRPC }: Omit<RawCall, 'body'>,
): http2.ClientHttp2Stream {
  return session.request({ ':method': method, ':path': path, ...headers }, { endStream: false });
}

const EXPECTED = new Set(['content-type', 'grpc-status', 'grpc-message', 'grpc-status-details-bin']);
/** Headers of HTTP, and which compression a transport could read and write: nothing is sent compressed. */
const OF_THE_DOOR = new Set([':status', 'date', 'content-length', 'grpc-accept-encoding', 'grpc-encoding']);

/** Collects what arrives until the stream is closed. */
export function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve) => {
    const headers: Record<string, string> = {};
    const chunks: Buffer[] = [];
    const take = (received: http2.IncomingHttpHeaders) => {
      for (const [name, value] of Object.entries(received)) headers[name] = String(value);
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined); // The reset code says it.
    stream.on('close', () =>
      resolve({
        status: Number(headers[':status'] ?? 0),
        contentType: headers['content-type']?.replace(/^(application\/grpc)\+proto$/, '$1'),
        grpcStatus: headers['grpc-status'],
        grpcMessage: headers['grpc-message'],
        details: headers['grpc-status-details-bin']?.replace(/=+$/, ''),
        further: Object.keys(headers).filter((name) => !EXPECTED.has(name) && !OF_THE_DOOR.has(name)),
        body: Buffer.concat(chunks),
        resetCode: stream.rstCode ?? 0,
      }),
    );
  });
}
