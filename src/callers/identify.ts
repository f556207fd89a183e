// The caller of a connection, authenticated by the connection only: headers are not used.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Caller, proofBy } from '../authority/index.ts';
import { EctError, reject } from '../errors.ts';
import { isWorkloadId, trustDomainOf } from '../token/index.ts';
import type { Vouchers } from './client-cas.ts';
import { tryReadLeaf } from './svid.ts';

/** How long a connection whose CA was removed stays open, so that its caller gets the reason. */
const GOODBYE_MS = 1_000;

/** Returns the caller that a connection proves. Throws CALLER_UNTRUSTED or CALLER_ID_INVALID. */
export type Identify = (socket: Socket) => Caller;

/** For a service without a client CA: all callers are anonymous. */
export function anonymousCallers(): Identify {
  return () => ({ kind: 'anonymous' });
}

/** For a service whose callers authenticate each request: a connection proves nothing. */
export function unprovenCallers(): Identify {
  return () => {
    throw untrusted('the request has no credential');
  };
}

/**
 * For a service on a Unix socket: every process that may open the socket is this workload. `path`: of the socket, whose file mode is the
 * proof.
 */
export function unixCallers(id: string, path: string): Identify {
  const caller: Caller = { kind: 'spiffe', id, proof: proofBy('unix', path) };
  return () => caller;
}

interface Identity {
  readonly caller: Exclude<Caller, { readonly kind: 'anonymous' }>;
  readonly notBefore: number;
  readonly notAfter: number;
  /** The CAs at the last check, and its result. */
  vouchedBy: object | undefined;
  isVouchedFor: boolean;
}

/**
 * For a service with a client CA: the caller is the SPIFFE ID of its certificate. The certificate is read once for each
 * connection. Each call checks that it is still in force, because connections live longer than certificates, and, with `cas`, that it
 * was signed by a current CA. `now` returns milliseconds since 1970.
 */
export function spiffeCallers(now: () => number = Date.now, cas?: Vouchers): Identify {
  const known = new WeakMap<Socket, Identity | EctError>();
  return (socket) => {
    let identity = known.get(socket);
    if (identity === undefined) {
      identity = identityOf(socket);
      known.set(socket, identity);
    }
    if (identity instanceof EctError) throw identity;
    const time = now();
    if (time < identity.notBefore || time > identity.notAfter) throw untrusted('the certificate is not in force');
    if (cas !== undefined && identity.vouchedBy !== cas.current) {
      identity.isVouchedFor = isVouchedFor(socket, cas, identity.caller.id, time);
      identity.vouchedBy = cas.current;
      // A caller with a newer certificate reconnects with it.
      if (!identity.isVouchedFor) setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
    }
    if (cas !== undefined && !identity.isVouchedFor) throw untrusted(cas.fault);
    return identity.caller;
  };
}

function identityOf(socket: Socket): Identity | EctError {
  if (!isTls(socket)) return untrusted('the connection is not TLS');
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return untrusted('no client certificate was presented');
  if (!socket.authorized) return untrusted('the client certificate is not trusted');
  const leaf = tryReadLeaf(certificate.raw);
  if (leaf === undefined) return invalid('the client certificate cannot be read');
  if (leaf.signsOthers) return invalid('the client certificate may sign other certificates');
  const [id, ...more] = leaf.uris;
  if (id === undefined || more.length > 0) return invalid(`the client certificate has ${leaf.uris.length} URI names`);
  if (!isWorkloadId(id)) return invalid('the URI name of the client certificate is not a SPIFFE ID');
  const { notBefore, notAfter } = leaf;
  const caller = { kind: 'spiffe', id, proof: proofBy('mtls', trustDomainOf(id)) } as const;
  return { caller, notBefore, notAfter, vouchedBy: undefined, isVouchedFor: true };
}

function isVouchedFor(socket: Socket, cas: Vouchers, id: string, nowMs: number): boolean {
  const leaf = isTls(socket) ? socket.getPeerX509Certificate() : undefined;
  return leaf !== undefined && cas.vouchFor(socket, leaf, id, nowMs);
}

// On HTTP/2 the socket is a Proxy without a `has` trap, so `in` would find nothing and every identity would vanish.
function isTls(socket: Socket): socket is TLSSocket {
  return typeof (socket as Partial<TLSSocket>).getPeerX509Certificate === 'function';
}

function untrusted(message: string): EctError {
  return new EctError(reject('CALLER_UNTRUSTED', message));
}

function invalid(message: string): EctError {
  return new EctError(reject('CALLER_ID_INVALID', message));
}
