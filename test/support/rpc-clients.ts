// Third-party clients for the tests of the port. Each returns a failure in the same form: code, message, details.

import * as http from 'node:http';
import * as http2 from 'node:http2';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { type Client, type Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { type ErrorInfo, ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.ts';

/** A failure as a client of any protocol sees it. */
export interface Failure {
  readonly code: Code;
  readonly message: string;
  readonly info: ErrorInfo | undefined;
}

export interface TlsFiles {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The transports of connect-node, by a name for test titles. */
export function transports(url: string, tls?: TlsFiles): Record<string, Transport> {
  const nodeOptions = tls ?? {};
  return {
    'gRPC over HTTP/2': createGrpcTransport({ baseUrl: url, nodeOptions }),
    'gRPC-Web over HTTP/1.1': createGrpcWebTransport({ baseUrl: url, httpVersion: '1.1', nodeOptions }),
    'gRPC-Web over HTTP/2': createGrpcWebTransport({ baseUrl: url, httpVersion: '2', nodeOptions }),
    'Connect over HTTP/1.1': createConnectTransport({ baseUrl: url, httpVersion: '1.1', nodeOptions }),
    'Connect over HTTP/2': createConnectTransport({
      baseUrl: url,
      httpVersion: '2',
      nodeOptions,
      useBinaryFormat: true,
    }),
  };
}

export const PROTOCOLS = Object.keys(transports('http://127.0.0.1:1'));

export function authorityClient(url: string, protocol: string, tls?: TlsFiles): Client<typeof AuthorityService> {
  return createClient(AuthorityService, transports(url, tls)[protocol] as Transport);
}

/** Returns the failure of a connect-node call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => ConnectError.from(thrown),
  );
  if (error === undefined) throw new Error('the call was expected to fail');
  return { code: error.code, message: error.rawMessage, info: error.findDetails(ErrorInfoSchema)[0] };
}

type GrpcCall = (
  request: object,
  options: grpc.CallOptions,
  done: (error: grpc.ServiceError | null, answer: unknown) => void,
) => grpc.ClientUnaryCall;

/** Returns a grpc-js client with its own loader of the proto files. The caller closes it. */
export function grpcJsClient(address: string, service: string): grpc.Client & Record<string, GrpcCall> {
  const [packageName, name] = [service.slice(0, service.lastIndexOf('.')), service.slice(service.lastIndexOf('.') + 1)];
  const files = { 'ect.v1': 'ect/v1/authority.proto', 'grpc.health.v1': 'grpc/health/v1/health.proto' };
  const protoDirectory = join(import.meta.dirname, '../../proto');
  const definition = loadSync(files[packageName as keyof typeof files], {
    includeDirs: [protoDirectory],
    keepCase: true,
  });
  const service_ = definition[`${packageName}.${name}`] as grpc.ServiceDefinition;
  const Constructor = grpc.makeGenericClientConstructor(service_, name);
  return new Constructor(address, grpc.credentials.createInsecure()) as unknown as grpc.Client &
    Record<string, GrpcCall>;
}

/** Calls a method of a grpc-js client and returns its failure, with the details of the trailer. */
export function grpcJsFailure(
  client: Record<string, GrpcCall>,
  method: string,
  request: object,
  options: grpc.CallOptions = {},
): Promise<Failure> {
  return new Promise((resolve, reject) => {
    client[method]?.(request, options, (error) => {
      if (error === null) reject(new Error('the call was expected to fail'));
      else
        resolve({
          code: Number(error.code) as Code,
          message: error.details,
          info: errorInfoOf(error.metadata.get('grpc-status-details-bin')[0]),
        });
    });
  });
}

/** Returns the ErrorInfo in `grpc-status-details-bin`. */
export function errorInfoOf(bytes: unknown): ErrorInfo | undefined {
  if (bytes === undefined) return undefined;
  const raw = typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : (bytes as Buffer);
  const { details } = fromBinary(StatusSchema, raw);
  return details.map((any) => anyUnpack(any, ErrorInfoSchema)).find((info) => info !== undefined);
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly trailers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly resetCode: number | undefined;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: Uint8Array;
  /** Does not end the request after the body. */
  readonly keepOpen?: boolean;
}

/** Sends one request over its own connection, without a client library. */
export async function rawHttp2(url: string, request: RawRequest): Promise<RawAnswer> {
  const session = http2.connect(url);
  try {
    return await rawStream(session, request);
  } finally {
    session.destroy();
  }
}

/** Sends one request over this session. */
export function rawStream(session: http2.ClientHttp2Session, request: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    session.once('error', reject);
    const { method = 'POST', path, headers = {}, body, keepOpen = false } = request;
    const stream = session.request({ ':method': method, ':path': path, ...headers });
    let answer: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
    let trailers: http2.IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on('response', (received) => {
      answer = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined); // The reset code is asserted instead.
    stream.on('close', () => {
      const { rstCode: resetCode } = stream;
      resolve({ status: answer[':status'] ?? 0, headers: answer, trailers, body: Buffer.concat(chunks), resetCode });
    });
    if (keepOpen) stream.write(body ?? Buffer.alloc(0));
    else stream.end(body);
  });
}

/** Sends one request over HTTP/1.1. */
export function rawHttp1(url: string, request: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { method = 'POST', path, headers = {}, body } = request;
    const outgoing = http.request(`${url}${path}`, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const { statusCode: status = 0, trailers } = response;
        resolve({ status, headers: response.headers, trailers, body: Buffer.concat(chunks), resetCode: undefined });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Returns a message in the frame that gRPC, gRPC-Web and Connect streams share. */
export function frame(message: Uint8Array, flags = 0, length = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}
