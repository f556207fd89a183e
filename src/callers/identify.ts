// Who is calling, proven by the connection and by nothing else: no header and no field of a message is looked at.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Caller } from '../authority/index.ts';
import { EctError, refuse } from '../errors.ts';
import type { ClientCas } from './client-cas.ts';
import { DerError } from './der.ts';
import { isWorkloadId } from './spiffe-id.ts';
import { type Leaf, readLeaf } from './svid.ts';

/** How long a connection whose CA was taken away stays open, so that its caller hears why. */
const GOODBYE_MS = 1_000;

/** Answers who is at the other end of a connection. Throws CALLER_UNTRUSTED or CALLER_ID_INVALID. */
export type Identify = (socket: Socket) => Caller;

/** For a service without a client CA: everybody is anonymous. */
export function anonymousCallers(): Identify {
  return () => ({ kind: 'anonymous' });
}

interface Identity {
  readonly caller: Caller;
  readonly notBefore: number;
  readonly notAfter: number;
  /** The CAs of the time when it was last held against them, and what came of it. */
  vouchedBy: object | undefined;
  isVouchedFor: boolean;
}

/**
 * For a service with a client CA: the caller is the SPIFFE ID of its certificate. The certificate is read once a
 * connection; that it is still in force is asked at every call, because connections outlive certificates. So is, where `cas`
 * may be replaced, that a CA of today vouches for it. `now` answers milliseconds since 1970.
 */
export function spiffeCallers(now: () => number = Date.now, cas?: ClientCas): Identify {
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
      identity.isVouchedFor = isVouchedFor(socket, cas, time);
      identity.vouchedBy = cas.current;
      // A caller that has a newer certificate by now comes back with it.
      if (!identity.isVouchedFor) setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
    }
    if (!identity.isVouchedFor) throw untrusted('the CA of the client certificate is not trusted any more');
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
  return { caller: { kind: 'spiffe', id }, notBefore, notAfter, vouchedBy: undefined, isVouchedFor: true };
}

function isVouchedFor(socket: Socket, cas: ClientCas, nowMs: number): boolean {
  const leaf = isTls(socket) ? socket.getPeerX509Certificate() : undefined;
  return leaf !== undefined && cas.vouchFor(socket, leaf, nowMs);
}

function tryReadLeaf(raw: Uint8Array): Leaf | undefined {
  try {
    return readLeaf(raw);
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

// On HTTP/2 the socket is a Proxy without a `has` trap, so `in` would find nothing and every identity would vanish.
function isTls(socket: Socket): socket is TLSSocket {
  return typeof (socket as Partial<TLSSocket>).getPeerX509Certificate === 'function';
}

function untrusted(message: string): EctError {
  return new EctError(refuse('CALLER_UNTRUSTED', message));
}

function invalid(message: string): EctError {
  return new EctError(refuse('CALLER_ID_INVALID', message));
}
