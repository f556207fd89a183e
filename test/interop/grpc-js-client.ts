// A gRPC client as any user of @grpc/grpc-js writes it: over the .proto files, with none of the service's own code.

import { fileURLToPath } from 'node:url';
import {
  type CallOptions,
  type ChannelCredentials,
  Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';

const CALL_MS = 60_000;

const PROTOS = [
  'ect/v1/authority.proto',
  'ect/v1/ledger.proto',
  'ect/v1/keys.proto',
  'ect/v1/admin.proto',
  'google/rpc/error_details.proto',
  'google/rpc/status.proto',
  'grpc/health/v1/health.proto',
];

/** What google.rpc.ErrorInfo says. */
export interface ErrorInfo {
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** google.protobuf.Duration as the loader reads it. */
interface Duration {
  readonly seconds: string;
  readonly nanos: number;
}

/** A call that failed. `code` is the number of gRPC. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: number;
  readonly info: ErrorInfo | undefined;
  /** What google.rpc.RetryInfo says, in seconds. */
  readonly retrySeconds: number | undefined;

  constructor(error: ServiceError, info?: ErrorInfo, retrySeconds?: number) {
    super(`${info?.reason ?? error.code}: ${error.details}`);
    this.code = error.code;
    this.info = info;
    this.retrySeconds = retrySeconds;
  }

  get reason(): string {
    return this.info?.reason ?? '';
  }
}

/** google.rpc.Status as the loader reads it. */
export interface Status {
  readonly code: number;
  readonly message: string;
  readonly details: readonly { readonly type_url: string; readonly value: Buffer }[];
}

/** One channel. Enums and 64-bit integers are strings, fields are named as in the protos. */
export interface GrpcClient extends Disposable {
  /** Makes one unary call. CallError where it fails. `onStarted` gets the call, to cancel it. */
  call<Answer>(
    method: string,
    request: object,
    options?: CallOptions,
    onStarted?: (call: ClientUnaryCall) => void,
  ): Promise<Answer>;
  /** Starts a call that is answered by a stream. */
  stream(method: string, request: object): ClientReadableStream<unknown>;
  /** The ErrorInfo in a status, as the result of a batch's item carries one. */
  errorInfoIn(status: Status): ErrorInfo | undefined;
  /** What a failed stream says. */
  readError(error: ServiceError): CallError;
}

/** Opens a channel to `host:port`. Methods are named `ect.v1.AuthorityService/Issue`. */
export function dial(address: string, security: ChannelCredentials = credentials.createInsecure()): GrpcClient {
  const includeDirs = [fileURLToPath(new URL('../../proto', import.meta.url))];
  const protos = loadSync(PROTOS, { includeDirs, keepCase: true, longs: String, enums: String, defaults: true });
  // A pool of channels that the library shares would outlive the test and join tests to each other.
  const client = new Client(address, security, { 'grpc.use_local_subchannel_pool': 1 });

  function detailIn<Detail>({ details }: Status, type: string): Detail | undefined {
    const any = details.find(({ type_url }) => type_url === `type.googleapis.com/${type}`);
    return any === undefined ? undefined : decode<Detail>(protos, type, any.value);
  }

  const errorInfoIn = (status: Status) => detailIn<ErrorInfo>(status, 'google.rpc.ErrorInfo');

  function readError(error: ServiceError): CallError {
    const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
    if (!Buffer.isBuffer(bytes)) return new CallError(error);
    const status = decode<Status>(protos, 'google.rpc.Status', bytes);
    const retry = detailIn<{ readonly retry_delay: Duration | null }>(status, 'google.rpc.RetryInfo')?.retry_delay;
    return new CallError(error, errorInfoIn(status), retry ? Number(retry.seconds) + retry.nanos / 1e9 : undefined);
  }

  function call<Answer>(
    method: string,
    request: object,
    options: CallOptions = {},
    onStarted?: (call: ClientUnaryCall) => void,
  ): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = methodOf(protos, method);
    const limited = { deadline: Date.now() + CALL_MS, ...options };
    return new Promise((resolve, reject) => {
      const started = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        limited,
        (error, answer) => {
          if (error) reject(readError(error));
          else resolve(answer as Answer);
        },
      );
      onStarted?.(started);
    });
  }

  function stream(method: string, request: object): ClientReadableStream<unknown> {
    const { path, requestSerialize, responseDeserialize } = methodOf(protos, method);
    return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  }

  return { call, stream, errorInfoIn, readError, [Symbol.dispose]: () => client.close() };
}

function methodOf(protos: PackageDefinition, method: string) {
  const [service = '', name = ''] = method.split('/');
  const found = (protos[service] as ServiceDefinition | undefined)?.[name];
  if (found === undefined) throw new TypeError(`the protos have no ${method}`);
  return found;
}

function decode<Message>(protos: PackageDefinition, type: string, bytes: Buffer): Message {
  return (protos[type] as MessageTypeDefinition<object, object>).deserialize(bytes) as Message;
}
