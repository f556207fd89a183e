// One call by Node's own HTTP/2 client: shows that a server answers properly before anything is measured.

import { connect } from 'node:http2';
import type { SecureContextOptions } from 'node:tls';
import { GRPC, type WireForm } from './wire-form.ts';

const CALL_MS = 10_000;
const FRAME_HEADER_BYTES = 5;

/** Makes one gRPC call and answers the response message. Error where the status is not OK. */
export async function probe(url: string, path: string, frame: Buffer, tls?: SecureContextOptions): Promise<Buffer> {
  return (await probeBody(url, path, frame, GRPC, tls)).subarray(FRAME_HEADER_BYTES);
}

/** Makes one call and answers the body of its response. `frame`: its request as a gRPC frame. */
export async function probeBody(
  url: string,
  path: string,
  frame: Buffer,
  form: WireForm,
  tls: SecureContextOptions = {},
): Promise<Buffer> {
  const session = connect(url, tls);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const fail = (why: string) => reject(new Error(`${path} at ${url} ${why}`));
  session.on('error', (error) => fail(error.message));
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': form.contentType,
    te: 'trailers',
  });
  let status = 0;
  let grpcStatus: string | undefined;
  const chunks: Buffer[] = [];
  stream.setTimeout(CALL_MS, () => fail('did not answer'));
  stream.on('response', (headers) => {
    status = Number(headers[':status']);
    grpcStatus = headers['grpc-status']?.toString();
  });
  stream.on('trailers', (trailers) => {
    grpcStatus = trailers['grpc-status']?.toString();
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', (error) => fail(error.message));
  stream.on('end', () => {
    const answer = { status, grpcStatus, body: Buffer.concat(chunks) };
    if (form.isGood(answer)) resolve(answer.body);
    else fail(`answered ${status}, grpc-status ${grpcStatus}`);
  });
  stream.end(form.body(frame));
  try {
    return await promise;
  } finally {
    session.destroy();
  }
}
