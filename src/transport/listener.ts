// The front of the port: takes connections and hands each to HTTP/1.1 or HTTP/2. Without TLS the first bytes tell them
// apart, with TLS the protocol that both sides agreed on (ALPN).

import { constants } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions, Server as TlsServer } from 'node:tls';

/** The key material of the port. */
export interface TlsOptions {
  /** PEM: the certificate and the intermediates above it. */
  readonly cert: string;
  /** PEM: its private key. */
  readonly key: string;
  /** PEM: the CAs whose certificates prove a caller. Without it callers are not asked for one. */
  readonly clientCa?: string;
}

export interface ListenerOptions {
  readonly tls: TlsOptions | undefined;
  /** How long a connection may take to say what it speaks, in milliseconds. */
  readonly firstBytesMs: number;
  readonly onHttp1: (socket: Socket) => void;
  readonly onHttp2: (socket: Socket) => void;
  readonly onFailure: (stage: 'tls' | 'first-bytes', cause: Error) => void;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** `P` begins POST and PUT too: from here on it can only be HTTP/2. */
const TELLING_BYTES = 4;

/** Detects a peer that disappeared without closing its connection, also while a stream waits on it. */
const PROBES = { keepAlive: true, keepAliveInitialDelay: 60_000 };

/** Makes the listening server. It does not listen yet. */
export function createListener(options: ListenerOptions): Server {
  return options.tls === undefined ? cleartextListener(options) : tlsListener(options, options.tls);
}

/** New handshakes use this key material; connections that are open go on. It must ask for certificates as before, or not. */
export function replaceTls(front: Server, tls: TlsOptions): void {
  if (front instanceof TlsServer) front.setSecureContext(secureContextOptions(tls));
}

/** From here on no handshake succeeds: the service has no certificate that it may show. */
export function withdrawTls(front: Server): void {
  if (front instanceof TlsServer) front.setSecureContext({ minVersion: 'TLSv1.2' });
}

function cleartextListener({ firstBytesMs, onHttp1, onHttp2, onFailure }: ListenerOptions): Server {
  return createServer({ noDelay: true, ...PROBES }, (socket) => {
    const onError = (error: Error) => onFailure('first-bytes', error);
    const onTimeout = () => socket.destroy(new Error('no first bytes in time'));
    socket.on('error', onError);
    // A timer for the whole of it: a byte now and then does not extend it.
    const timer = setTimeout(onTimeout, firstBytesMs);
    socket.once('close', () => clearTimeout(timer));

    let seen: Buffer = Buffer.alloc(0);
    const onReadable = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      seen = Buffer.concat([seen, chunk]);
      const length = Math.min(seen.length, PREFACE.length);
      const isHttp2 = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
      if (isHttp2 && length < TELLING_BYTES) return;
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

function tlsListener({ firstBytesMs, onHttp1, onHttp2, onFailure }: ListenerOptions, tls: TlsOptions): Server {
  const server = createTlsServer({
    ...secureContextOptions(tls),
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: firstBytesMs,
    requestCert: tls.clientCa !== undefined,
    // A caller without a trusted certificate is told so by an error with a reason; key set, health and probes are public.
    rejectUnauthorized: false,
    noDelay: true,
    ...PROBES,
  });
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === 'h2') onHttp2(socket);
    else onHttp1(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    // A handshake that timed out is only reported; nothing else would ever close its connection.
    socket.destroy();
    onFailure('tls', error);
  });
  return server;
}

function secureContextOptions({ cert, key, clientCa }: TlsOptions): SecureContextOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    // A resumed session would not show its certificate to the trust of today.
    // Nothing is negotiated anew: HTTP/2 forbids it (RFC 9113, section 9.2.1), and it is work that a peer has us do.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (clientCa === undefined ? 0 : constants.SSL_OP_NO_TICKET),
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  };
}
