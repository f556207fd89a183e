// One call by Node's own HTTP/2 client: shows that a server answers properly before anything is measured.

import { connect } from 'node:http2';

const CALL_MS = 10_000;
const FRAME_HEADER_BYTES = 5;

/** Makes one gRPC call and answers the response message. Error where the status is not OK. */
export async function probe(url: string, path: string, body: Buffer): Promise<Buffer> {
  const session = connect(url);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const fail = (why: string) => reject(new Error(`${path} at ${url} ${why}`));
  session.on('error', (error) => fail(error.message));
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let status: unknown;
  const chunks: Buffer[] = [];
  stream.setTimeout(CALL_MS, () => fail('did not answer'));
  stream.on('response', (headers) => {
    status = headers['grpc-status'];
  });
  stream.on('trailers', (trailers) => {
    status = trailers['grpc-status'];
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', (error) => fail(error.message));
  stream.on('end', () => {
    if (String(status) === '0') resolve(Buffer.concat(chunks).subarray(FRAME_HEADER_BYTES));
    else fail(`answered grpc-status ${String(status)}`);
  });
  stream.end(body);
  try {
    return await promise;
  } finally {
    session.destroy();
  }
}
