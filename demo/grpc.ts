// gRPC as any polyglot client speaks it: @grpc/grpc-js and the .proto files, none of the service's own code.

import { fileURLToPath } from 'node:url';
import { Client, credentials, type ServiceDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';

const CALL_MS = 10_000;

/** A call that the service rejected, with the reason that it gave as google.rpc.ErrorInfo. */
export class Rejection extends Error {
  override readonly name = 'Refusal';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** One channel to one service. */
export interface Channel {
  /** Makes one unary call. Field names are those of the protos; enums and 64-bit integers are strings. */
  call<Answer>(service: string, method: string, request: object): Promise<Answer>;
  close(): void;
}

/** Opens a channel to `host:port` without TLS. */
export function dial(address: string): Channel {
  const protos = ['ect/v1/authority.proto', 'ect/v1/keys.proto', 'google/rpc/error_details.proto'];
  const includeDirs = [fileURLToPath(new URL('../proto', import.meta.url))];
  const definition = loadSync(protos, { includeDirs, keepCase: true, longs: String, enums: String, defaults: true });
  const client = new Client(address, credentials.createInsecure());
  return {
    call: (service, method, request) => callOnce(client, definition, service, method, request),
    close: () => client.close(),
  };
}

function callOnce<Answer>(
  client: Client,
  definition: PackageDefinition,
  service: string,
  method: string,
  request: object,
): Promise<Answer> {
  const stub = (definition[service] as ServiceDefinition | undefined)?.[method];
  if (stub === undefined) throw new TypeError(`the protos have no ${service}/${method}`);
  return new Promise((resolve, reject) => {
    const done = (error: ServiceError | null, answer?: Answer) => {
      if (error) reject(readRejection(error, definition));
      else resolve(answer as Answer);
    };
    const deadline = Date.now() + CALL_MS;
    client.makeUnaryRequest(stub.path, stub.requestSerialize, stub.responseDeserialize, request, { deadline }, done);
  });
}

/** `grpc-status-details-bin` holds a google.rpc.Status, and among its details a google.rpc.ErrorInfo. */
function readRejection(error: ServiceError, definition: PackageDefinition): Rejection {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return new Rejection('(none given)', error.message);
  const read = <Message>(type: string, from: Buffer) =>
    (definition[type] as MessageTypeDefinition<object, object>).deserialize(from) as Message;
  const status = read<{ message: string; details: readonly { type_url: string; value: Buffer }[] }>(
    'google.rpc.Status',
    bytes,
  );
  const info = status.details.find(({ type_url }) => type_url.endsWith('/google.rpc.ErrorInfo'));
  if (info === undefined) return new Rejection('(none given)', status.message);
  return new Rejection(read<{ reason: string }>('google.rpc.ErrorInfo', info.value).reason, status.message);
}
