// Who makes a request, decided by its headers and its connection before anything of its body is kept. It is synchronous on
// purpose: the keys of others are fetched in the background, and a request never waits for them.

import type { Socket } from 'node:net';
import type { Caller } from '../authority/index.ts';
import { EctError, reject } from '../errors.ts';
import type { Identify } from './identify.ts';

/** What a request presents. All of it but the connection is attacker-controlled. */
export interface Presented {
  readonly socket: Socket;
  /** The values of a header field in their order, by lower-case name; empty where there is none. */
  header(name: string): readonly string[];
  /** `POST`, and the path: what a proof of possession is bound to. */
  readonly httpMethod: string;
  readonly path: string;
}

/** Returns who makes a request. Throws EctError CALLER_UNTRUSTED, CALLER_ID_INVALID. */
export type Authenticate = (presented: Presented) => Caller;

/** Reads one kind of credential. Returns undefined where the request has none of its kind; throws as Authenticate does. */
export type Authenticator = (presented: Presented) => Caller | undefined;

/**
 * The caller is who the credential of the request says; its connection then is only the peer that carried it. Without a
 * credential the caller is the peer itself, as `identify` answers. Two credentials in one request are rejected, even where they
 * agree. Only the credentials that are listed here are looked at: no other header can name a caller.
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
