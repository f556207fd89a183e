// One port that serves everything: calls over gRPC, gRPC-Web and Connect, health, reflection and pages.

import type { AddressInfo, Socket } from 'node:net';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { createHealth } from '../api/health.ts';
import type { Page } from '../api/page.ts';
import { createReflection } from '../api/reflection.ts';
import type { Authorizer, Caller } from '../authority/index.ts';
import type { Authenticate } from '../callers/authenticate.ts';
import type { AnyService } from '../calls/call.ts';
import { createCalls } from '../calls/calls.ts';
import { type ConnectionLimits, DEFAULT_LIMITS } from '../calls/connection-limits.ts';
import { methodTable, pathOf } from '../calls/method-table.ts';
import { EctError, reject } from '../errors.ts';
import { Health } from '../gen/grpc/health/v1/health_pb.ts';
import { type CallLimits, createResources, DEFAULT_PROCESS_LIMITS, type ProcessLimits } from '../limits/index.ts';
import type { Events } from '../telemetry/events.ts';
import { type BrowserOptions, createBrowserRules } from './browser-rules.ts';
import { transcodeText } from './connect/grpc-web-text.ts';
import { createConnectRouter } from './connect/router.ts';
import { createConnections, LAST_CALL_MS } from './connections.ts';
import { readableByPages } from './cors-headers.ts';
import { type ListenOptions, listen } from './listen.ts';
import { replaceTls, type TlsOptions, withdrawTls } from './listener.ts';
import { readPage, standardPages } from './pages.ts';
import { asResponse, rejectionMessage } from './rejections.ts';
import { createRequestCheck, protocolOf } from './request-check.ts';
import type { RoutedCall, RoutedRequest } from './routed-request.ts';
import { createUnaryFastPath } from './unary/fast-path.ts';
import { unknownPath } from './unknown-path.ts';
import { wireFormOf } from './wire-errors.ts';

export interface ServerOptions extends ListenOptions {
  readonly tls?: TlsOptions;
  readonly services: readonly AnyService[];
  /** The caller that a connection proves. Throws CALLER_UNTRUSTED or CALLER_ID_INVALID. */
  readonly identify: (socket: Socket) => Caller;
  /** The caller of a request, if its headers matter too. Otherwise the connection determines it. */
  readonly authenticate?: Authenticate | undefined;
  /** Called for each connection when it is accepted, before its handshake. */
  readonly onAccepted?: (socket: Socket) => void;
  /** See CallsOptions. */
  readonly acceptsDeadlines?: boolean;
  /** Whether a caller is an administrator. Undefined: there are no administrators. */
  readonly isAdministrator?: (caller: Caller) => boolean;
  /** See CallsOptions. */
  readonly authorizer?: Authorizer | undefined;
  readonly callLimits?: CallLimits | undefined;
  readonly events: Events;
  /** The JWK Set document, byte for byte. */
  readonly jwks: () => string;
  /** How many seconds the document may be cached; 300 if undefined. */
  readonly jwksMaxAgeSeconds?: () => number;
  /** The dependencies of calls, each with whether it is available. If all are, the service is ready. */
  readonly ready: () => Readonly<Record<string, boolean>>;
  /** Methods with further dependencies, each with whether they can be served. The health service uses these names. */
  readonly methodsReady?: Readonly<Record<string, () => boolean>>;
  /** Further pages. */
  readonly pages?: readonly Page[];
  /** What browsers may do. If undefined, no page is rejected, and none may read a response. */
  readonly browsers?: BrowserOptions;
  readonly limits?: Partial<ConnectionLimits>;
  /** What all connections and calls share. */
  readonly processLimits?: Partial<ProcessLimits>;
  /** Serves plain unary calls by the unary fast path, which is the default, or by the Connect router like all other calls. */
  readonly unaryFastPath?: boolean;
  /** The HTTP/2 server: that of `http2-server/`, which is the default, or Node's, which has no unary fast path. */
  readonly http2?: 'engine' | 'node';
  /** How often health watches check for a change, in milliseconds. */
  readonly watchIntervalMs?: number;
}

export interface RunningServer {
  /** `http://127.0.0.1:8080`, or `unix:/run/ect.sock`. */
  readonly url: string;
  /** The path of a Unix socket; it has no port. */
  readonly address: AddressInfo;
  /** How many connections are open. */
  connections(): number;
  /** Sets the maximum number of connections, up to the one in the options. */
  limitConnections(most: number): void;
  /**
   * Uses these keys and certificates for new connections; undefined: new connections are rejected. The server must have started with TLS.
   */
  replaceTls(tls: TlsOptions | undefined): void;
  /**
   * Stops the server: health reports NOT_SERVING, no connection is accepted, and the peers of open ones get GOAWAY or `Connection:
   * close`. Calls that were sent before are served within the grace period; streams end with SERVICE_DRAINING; the rest is cut off.
   * Resolves when the last connection is closed.
   */
  drain(graceMs: number): Promise<void>;
}

/** Starts the server. Rejects if it cannot listen. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host, port, unix, tls, services, identify, isAdministrator, events, ready, jwks } = options;
  /** Aborted when the server starts to stop. */
  const stopping = new AbortController();
  const endOfStreams = new AbortController();
  const readiness = () => ({ ...ready(), accepting: !stopping.signal.aborted });

  const health = createHealth({
    services: services.map(({ descriptor }) => descriptor.typeName),
    methods: options.methodsReady ?? {},
    isServing: () => Object.values(readiness()).every(Boolean),
    watchIntervalMs: options.watchIntervalMs ?? 1000,
    stopping: stopping.signal,
  });
  const reflection = createReflection([...services.map(({ descriptor }) => descriptor), Health]);
  const resources = createResources({ ...DEFAULT_PROCESS_LIMITS, ...options.processLimits }, events.limitMet);
  events.watchLimits(resources.inUse);
  const calls = createCalls({
    events,
    resources,
    identify,
    authenticate: options.authenticate,
    endOfStreams: endOfStreams.signal,
    ...(isAdministrator === undefined ? {} : { isAdministrator }),
    authorizer: options.authorizer,
    callLimits: options.callLimits,
    acceptsDeadlines: options.acceptsDeadlines === true,
  });
  const all = [...services, health, ...reflection];
  const methods = methodTable(all);
  const router = createConnectRouter(all, calls, events, stopping.signal);
  const standard = standardPages({
    jwks,
    jwksMaxAgeSeconds: options.jwksMaxAgeSeconds ?? (() => 300),
    ready: readiness,
    methods: options.methodsReady ?? {},
    metrics: () => events.metrics(),
  });
  const pages = new Map([...standard, ...(options.pages ?? [])].map((page) => [page.path, page]));

  function handle(request: RoutedRequest, evict: () => void): RoutedCall {
    const page = pages.get(pathOf(request.target));
    const routed = router(request, evict);
    if (routed !== undefined) return routed;
    const response = page === undefined ? Promise.resolve(rejectUnknown(request)) : answerPage(page, request);
    return { response, close: () => undefined };
  }

  async function answerPage(page: Page, request: RoutedRequest): Promise<UniversalServerResponse> {
    try {
      return await readPage(page, request);
    } catch (cause) {
      events.bug(page.path, cause);
      return rejection(request, new EctError(reject('INTERNAL', 'the page could not be made')));
    }
  }

  function rejectUnknown(request: RoutedRequest): UniversalServerResponse {
    const error = unknownPath(pathOf(request.target), methods.keys(), pages.keys());
    const contentType = request.header.get('content-type') ?? undefined;
    if (request.method === 'POST' && wireFormOf(contentType) !== undefined) {
      calls.rejectedEarly({ method: 'unknown', protocol: protocolOf(contentType), socket: request.socket }, error);
    }
    return rejection(request, error);
  }

  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const requestCheck = createRequestCheck(methods, calls);
  const browsers = createBrowserRules(options.browsers ?? NO_BROWSERS, (path) => pages.get(path)?.isOpen === true);
  const fastPath =
    options.unaryFastPath === false ? () => undefined : createUnaryFastPath(all, calls, browsers.fieldsFor);
  const serving = {
    stopping: stopping.signal,
    requestCheck,
    browsers,
    unary: options.http2 === 'node' ? undefined : fastPath,
    handle: readableByPages(transcodeText(handle), browsers),
    accountOf: calls.accountOf,
    mostPauseMs: calls.mostPauseMs,
  };
  const connections = createConnections(tls, limits, events, resources, serving);
  if (options.onAccepted !== undefined) connections.front.on('connection', options.onAccepted);
  const address = await listen(connections.front, { host, port, unix });
  // For example, the process has no file descriptors left. The listening socket continues, and so does the service.
  connections.front.on('error', events.acceptFailed);

  async function drain(graceMs: number): Promise<void> {
    if (stopping.signal.aborted) return;
    events.draining(graceMs);
    stopping.abort();
    // Later than the last status, so that watchers receive it.
    const timer = setTimeout(() => endOfStreams.abort(), Math.min(LAST_CALL_MS, graceMs / 2));
    events.stopped(await connections.drain(graceMs));
    clearTimeout(timer);
  }

  const name = host.includes(':') ? `[${host}]` : host;
  const scheme = tls === undefined ? 'http' : 'https';
  return {
    url: unix === undefined ? `${scheme}://${name}:${address.port}` : `unix:${unix.path}`,
    address,
    connections: () => resources.connections.size,
    limitConnections: (most) => resources.connections.limitTo(most),
    replaceTls: (next) => (next === undefined ? withdrawTls(connections.front) : replaceTls(connections.front, next)),
    drain,
  };
}

const NO_BROWSERS: BrowserOptions = { allowedOrigins: [], rejectsOthers: false, allowedHosts: undefined };

function rejection({ method, header }: RoutedRequest, error: EctError): UniversalServerResponse {
  return asResponse(rejectionMessage(method, header.get('content-type') ?? undefined, error));
}
