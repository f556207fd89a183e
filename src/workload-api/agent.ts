// The client of the agent: gRPC without TLS over a socket (SPIFFE Workload Endpoint, section 3). The agent identifies its clients through
// the kernel.

import { connect, type Socket } from 'node:net';
import { type Client, Code, ConnectError, createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import type { WorkloadEndpoint } from '../config/workload-api.ts';
import { fileFault } from '../files/system-faults.ts';
import { type JWTBundlesResponse, SpiffeWorkloadAPI, type X509SVIDResponse } from '../gen/spiffe/workload_pb.ts';

/** The maximum size of a message, as in gRPC by default. A larger message is rejected by its length, before it is read. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/**
 * Each message contains the complete state: what it does not name no longer exists. Each stream has its own connection, which ends with
 * it, because an agent that hangs keeps its connection open while its successor listens at the same path.
 */
export interface Agent {
  x509(signal: AbortSignal): AsyncIterable<X509SVIDResponse>;
  jwtBundles(signal: AbortSignal): AsyncIterable<JWTBundlesResponse>;
}

/** When to send a ping to an agent that sends nothing. */
export interface PingTimes {
  /** After this time without a message. */
  readonly pingMs: number;
  /** How long to wait for the response before the connection is closed. */
  readonly pongMs: number;
}

/** The gRPC library of SPIRE (grpc-go) closes a connection with more frequent pings than every five minutes. */
export const PING_TIMES: PingTimes = { pingMs: 360_000, pongMs: 15_000 };

type WorkloadClient = Client<typeof SpiffeWorkloadAPI>;

export function agentAt(endpoint: WorkloadEndpoint, { pingMs, pongMs }: PingTimes): Agent {
  const pings = { pingIntervalMs: pingMs, pingTimeoutMs: pongMs };
  async function* onConnection<Message>(open: (client: WorkloadClient) => AsyncIterable<Message>) {
    const sockets: Socket[] = [];
    const createConnection = (): Socket => {
      const socket = endpoint.kind === 'unix' ? connect(endpoint.path) : connect(endpoint);
      sockets.push(socket);
      return socket;
    };
    const sessions = new Http2SessionManager('http://localhost', pings, { createConnection });
    try {
      yield* open(createClient(SpiffeWorkloadAPI, createTransport(sessions)));
    } finally {
      // Not `sessions.abort()`, which removes the error listener of a session that is closing by itself. Its error would end the process.
      for (const socket of sockets) socket.destroy();
    }
  }
  return {
    x509: (signal) => onConnection((client) => client.fetchX509SVID({}, { signal })),
    jwtBundles: (signal) => onConnection((client) => client.fetchJWTBundles({}, { signal })),
  };
}

function createTransport(sessionManager: Http2SessionManager): Transport {
  return createGrpcTransport({
    baseUrl: 'http://localhost',
    sessionManager,
    readMaxBytes: MAX_MESSAGE_BYTES,
    // Compressed data could decompress to any size.
    acceptCompression: [],
    interceptors: [withSecurityHeader],
  });
}

/** The agent rejects requests without this header. It is missing in a request that an attacker tricked a server into sending. */
const withSecurityHeader: Interceptor = (next) => (request) => {
  request.header.set('workload.spiffe.io', 'true');
  return next(request);
};

/** Whether the agent says that this process has no identity. */
export function isDenial(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.PermissionDenied;
}

/** Whether it is useless to repeat the call. */
export function isFinal(error: unknown): boolean {
  return error instanceof ConnectError && (error.code === Code.InvalidArgument || error.code === Code.Unimplemented);
}

/** Returns why a stream ended and what to do about it. */
export function agentFault(endpoint: WorkloadEndpoint, error: unknown): string {
  const code = systemCode(error);
  if (code !== undefined) return connectFault(endpoint, code);
  if (isDenial(error)) {
    return (
      `the agent has no identity for this process (PERMISSION_DENIED), which runs as ${processUser()}: ` +
      'make a registration entry for it, and see that its parent is the node of this agent'
    );
  }
  if (!(error instanceof ConnectError)) return error instanceof Error ? error.message : String(error);
  if (error.rawMessage === 'PING timed out') return 'the agent hangs: it does not answer a ping';
  if (error.code === Code.ResourceExhausted) return `its message is larger than ${MAX_MESSAGE_BYTES} bytes`;
  return `the agent answered ${Code[error.code]}: ${error.rawMessage.slice(0, 200)}`;
}

function connectFault(endpoint: WorkloadEndpoint, code: string): string {
  const start = 'start the agent, or set ECT_WORKLOAD_API to its address';
  if (endpoint.kind === 'tcp') return `nothing can be reached there (${code}): ${start}`;
  if (code === 'ECONNREFUSED') return `no process listens on this socket: ${start}`;
  if (code === 'ENOTSOCK' || code === 'EPROTOTYPE') return `${endpoint.path} is no stream socket: ${start}`;
  if (code === 'ENOENT') return `${endpoint.path} does not exist: ${start}`;
  return fileFault(endpoint.path, { code }, 'written');
}

/** Returns the system's error code of a connection failure. */
function systemCode(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && /^E[A-Z]+$/.test(cause.code)) return cause.code;
  }
  return undefined;
}

function processUser(): string {
  const uid = process.getuid?.();
  return uid === undefined ? 'its user' : `uid ${uid}, gid ${process.getgid?.()}`;
}
