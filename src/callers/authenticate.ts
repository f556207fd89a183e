// Authenticates a request by its headers and its connection, before its body is buffered. It is synchronous on purpose: keys of issuers
// are fetched in the background, and a request never waits for them.

import type { Socket } from 'node:net';
import type { Caller } from '../authority/index.ts';
import { EctError, reject } from '../errors.ts';
import type { Identify } from './identify.ts';

/** The credentials of a request. All of it except the connection is attacker-controlled. */
export interface Presented {
  readonly socket: Socket;
  /** The values of a header field, in order, by lower-case name; empty if there are none. */
  header(name: string): readonly string[];
  /** `POST`, and the path, to which a proof of possession is bound. */
  readonly httpMethod: string;
  readonly path: string;
}

/** Returns the caller of a request. Throws EctError CALLER_UNTRUSTED, CALLER_ID_INVALID. */
export type Authenticate = (presented: Presented) => Caller;

/** Reads one kind of credential. Returns undefined if the request has none of this kind; throws as Authenticate does. */
export type Authenticator = (presented: Presented) => Caller | undefined;

/**
 * The caller is the one in the credential of the request; the peer of the connection only forwarded it. Without a credential the caller
 * is the peer, as `identify` returns it. Two credentials in one request are rejected, even if they agree. Only the listed credentials are
 * read: no other header can name a caller.
 */
export function authenticateBy(credentials: readonly Authenticator[], identify: Identify): Authenticate {
  return (presented) => {
    let found: Caller | undefined;
    for (const read of credentials) {
      const caller = read(presented);
      if (caller !== undefined && found !== undefined) throw new EctError(TWO_CREDENTIALS);
      found ??= caller;
    }
    return found ?? identify(presented.socket);
  };
}

const TWO_CREDENTIALS = reject('CALLER_ID_INVALID', 'the request has credentials of two kinds');
