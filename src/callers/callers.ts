// The configured ways to authenticate callers, combined.

import { type Authenticate, type Authenticator, authenticateBy } from './authenticate.ts';
import type { Vouchers } from './client-cas.ts';
import { exceptProxies, type ForwardingOptions, forwardedCallers } from './forwarded.ts';
import { anonymousCallers, type Identify, spiffeCallers, unixCallers, unprovenCallers } from './identify.ts';
import { jwtCallers } from './jwt.ts';
import type { JwtCallersPorts } from './jwt-verifier.ts';
import { isProof, type WimseCallersPorts, wimseCallers } from './wimse.ts';

export interface CallersOptions {
  /** The CAs of client certificates; undefined: no client certificates are requested. */
  readonly cas: Vouchers | undefined;
  /**
   * The Unix socket that the service listens on, and the SPIFFE ID of the workload that may open it; undefined: it authenticates no
   * caller.
   */
  readonly unix?: { readonly path: string; readonly caller: string | undefined } | undefined;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Proxies that forward an identity. */
  readonly forwarded: Pick<ForwardingOptions, 'proxies' | 'header'> | undefined;
  /** Issuers whose JWTs authenticate callers; undefined: `authorization` is ignored. */
  readonly jwt?: JwtCallersPorts | undefined;
  /** Issuers whose Workload Identity Tokens authenticate callers; undefined: their headers are ignored. */
  readonly wimse?: WimseCallersPorts | undefined;
}

export interface Callers {
  /** The caller that a connection proves. */
  readonly identify: Identify;
  /** The caller of a request; undefined: the connection determines it. */
  readonly authenticate: Authenticate | undefined;
}

export function createCallers({ cas, unix, nowMs, forwarded, jwt, wimse }: CallersOptions): Callers {
  const unproven = jwt === undefined && wimse === undefined ? anonymousCallers() : unprovenCallers();
  const withoutCertificate = unix?.caller === undefined ? unproven : unixCallers(unix.caller, unix.path);
  const identify = cas === undefined ? withoutCertificate : spiffeCallers(nowMs, cas);
  const credentials: Authenticator[] = [];
  if (forwarded !== undefined) credentials.push(forwardedCallers({ ...forwarded, identify }));
  if (jwt !== undefined) credentials.push(jwtCallers(jwt, wimse && isProof));
  if (wimse !== undefined) credentials.push(wimseCallers(wimse));
  if (credentials.length === 0) return { identify, authenticate: undefined };
  return { identify, authenticate: authenticateBy(credentials, exceptProxies(identify, forwarded?.proxies ?? [])) };
}
