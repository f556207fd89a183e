// The front server of the port: accepts connections and passes each to HTTP/1.1 or HTTP/2. Without TLS the first bytes decide, with TLS
// the negotiated protocol (ALPN).

import { constants } from 'node:crypto';
import { createServer, Server as NetServer, type Server, type ServerOpts, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { TlsGuard, type TlsGuardOptions } from './tls-guard.ts';
import { TlsInput, type TlsLanes } from './tls-input.ts';

/** The TLS keys and certificates of the port. */
export interface TlsOptions {
  /** PEM: the certificate and its intermediate CAs. */
  readonly cert: string;
  /** PEM: its private key. */
  readonly key: string;
  /** PEM: the CAs that issue the certificates of callers. Undefined: no client certificates are requested. */
  readonly clientCa?: string;
}

export interface ListenerOptions {
  readonly tls: TlsOptions | undefined;
  /** How long a connection may take to show its protocol, in milliseconds. */
  readonly firstBytesMs: number;
  /** Where the bytes of a connection wait before TLS decrypts them. */
  readonly tlsLanesOf: (socket: Socket) => TlsLanes;
  readonly onHttp1: (socket: Socket) => void;
  readonly onHttp2: (socket: Socket) => void;
  readonly onFailure: (stage: FailureStage, cause: Error) => void;
}

/** Where a connection failed before it was passed on. */
type FailureStage = 'first-bytes' | Parameters<TlsGuardOptions['onFailure']>[0];

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** The `P` of the HTTP/2 preface also begins POST and PUT; from this length on it can only be HTTP/2. */
const DISTINCT_BYTES = 4;

/** Detects a peer that disappeared without closing its connection, also while a stream waits for it. */
const PROBES = { keepAlive: true, keepAliveInitialDelay: 60_000 };

/** Creates the front server. It does not listen yet. */
export function createListener(options: ListenerOptions): Server {
  return options.tls === undefined ? cleartextListener(options) : tlsListener(options, options.tls);
}

/**
 * Uses these keys and certificates for new handshakes; open connections continue. Whether client certificates are requested cannot
 * change.
 */
export function replaceTls(front: Server, tls: TlsOptions): void {
  if (front instanceof TlsFront) front.setSecureContext(secureContextOptions(tls));
}

/** Rejects all further handshakes: the service has no valid certificate. */
export function withdrawTls(front: Server): void {
  if (front instanceof TlsFront) front.setSecureContext({ minVersion: 'TLSv1.2' });
}

function cleartextListener({ firstBytesMs, onHttp1, onHttp2, onFailure }: ListenerOptions): Server {
  return createServer({ noDelay: true, ...PROBES }, (socket) => {
    const onError = (error: Error) => onFailure('first-bytes', error);
    const onTimeout = () => socket.destroy(new Error('no first bytes in time'));
    socket.on('error', onError);
    // One timer for all first bytes: single bytes do not extend it.
    const timer = setTimeout(onTimeout, firstBytesMs);
    socket.once('close', () => clearTimeout(timer));

    let seen: Buffer = Buffer.alloc(0);
    const onReadable = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      seen = Buffer.concat([seen, chunk]);
      const length = Math.min(seen.length, PREFACE.length);
      const isHttp2 = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
      if (isHttp2 && length < DISTINCT_BYTES) return;
      socket.off('readable', onReadable);
      socket.off('error', onError);
      clearTimeout(timer);
      socket.unshift(seen);
      if (isHttp2) onHttp2(socket);
      else onHttp1(socket);
    };
    socket.on('readable', onReadable);
  });
}

/** The front server with TLS. It decides when the handshake of a connection begins; another server, which never listens, makes it. */
class TlsFront extends NetServer {
  readonly #tls: TlsServer;

  constructor(tls: TlsServer, options: ServerOpts, onConnection: (socket: Socket) => void) {
    super(options, onConnection);
    this.#tls = tls;
  }

  setSecureContext(options: SecureContextOptions): void {
    this.#tls.setSecureContext(options);
  }
}

function tlsListener(
  { firstBytesMs, tlsLanesOf, onHttp1, onHttp2, onFailure }: ListenerOptions,
  tls: TlsOptions,
): Server {
  const asksForCertificates = tls.clientCa !== undefined;
  const guard = new TlsGuard({ asksForCertificates, maxWaitMs: firstBytesMs, onFailure });
  const handshakes = createTlsServer({
    ...secureContextOptions(tls),
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: firstBytesMs,
    requestCert: asksForCertificates,
    // A caller without a trusted certificate gets an error with a reason later; key set, health and probes are public.
    rejectUnauthorized: false,
  });
  /** The connection whose bytes are decrypted in this moment. */
  let arriving: TlsInput | undefined;
  handshakes.on('secureConnection', (socket) => {
    if (arriving !== undefined) addAddresses(socket, arriving);
    arriving?.secured(socket);
    guard.secured(socket, () => {
      if (socket.alpnProtocol === 'h2') onHttp2(socket);
      else onHttp1(socket);
    });
  });
  handshakes.on('tlsClientError', (error, socket) => {
    guard.failed(socket);
    // Node only reports a handshake that timed out; nothing else closes its connection.
    socket.destroy();
    onFailure('tls', error);
  });
  const options = { blockList: guard.blocked, pauseOnConnect: true, noDelay: true, ...PROBES };
  const front = new TlsFront(handshakes, options, (socket) => {
    // It may end while it waits.
    socket.on('error', () => undefined);
    const input = new TlsInput(socket, tlsLanesOf(socket), (pass) => {
      arriving = input;
      pass();
      arriving = undefined;
    });
    guard.accepted(input, () => handshakes.emit('connection', input));
  });
  front.on('close', () => guard.close());
  return front;
}

/** A TLS socket knows the addresses only if Node reads the TCP socket itself. */
function addAddresses(tls: TLSSocket, { remoteAddress, remotePort, localAddress }: TlsInput): void {
  for (const [name, value] of Object.entries({ remoteAddress, remotePort, localAddress })) {
    Object.defineProperty(tls, name, { value });
  }
}

function secureContextOptions({ cert, key, clientCa }: TlsOptions): SecureContextOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    // A resumed session would skip the check of its certificate against the current CAs.
    // Renegotiation is forbidden by HTTP/2 (RFC 9113, section 9.2.1), and lets a peer cause CPU work.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (clientCa === undefined ? 0 : constants.SSL_OP_NO_TICKET),
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  };
}
