// The caller of a call, the account that it is charged to, and whether it is admitted: decided by the headers of the request only.

import type { Socket } from 'node:net';
import type { Caller } from '../authority/index.ts';
import type { Authenticate } from '../callers/authenticate.ts';
import { EctError, reject } from '../errors.ts';
import { type Account, MAX_ACCOUNT_CALLS, type Resources } from '../limits/index.ts';
import type { Events } from '../telemetry/events.ts';
import type { Access } from './call.ts';
import { asEctError } from './errors.ts';
import type { PresentedCall } from './open-call.ts';
import {
  OVERLOADED,
  TOO_MANY_OWN_CALLS,
  TOO_MANY_OWN_PUBLIC,
  TOO_MANY_OWN_STREAMS,
  TOO_MANY_PUBLIC,
  TOO_MANY_STREAMS,
} from './overload.ts';
import type { Penalty } from './penalty.ts';

export interface CallAdmissionOptions {
  readonly events: Events;
  /** Who is at the other end of a connection. Throws CALLER_UNTRUSTED or CALLER_ID_INVALID. */
  readonly identify: (socket: Socket) => Caller;
  /** Who makes a request, where its headers count too. Otherwise its connection alone says it. */
  readonly authenticate?: Authenticate | undefined;
  /** Whether a caller is an administrator. Undefined: there are no administrators. */
  readonly isAdministrator?: (caller: Caller) => boolean;
}

/** A request that is rejected by its headers, and what its connection is charged for it. */
export interface Rejection {
  readonly error: EctError;
  /** Who made it, as far as it is proven. */
  readonly caller: Caller;
  readonly penalty: Penalty;
}

/** A call that may be made: who makes it, and who pays for it. */
export interface Admission {
  readonly caller: Caller;
  readonly account: Account;
}

/** A connection that has not proven a caller pays this many times as much for a call that is rejected. */
const UNIDENTIFIED_COST = 20;
/** And this many times for too many public requests, which need no identity: each connection has a bucket. */
export const PUBLIC_REJECTION_COST = 10;

export const ANONYMOUS: Caller = { kind: 'anonymous' };

export type CallAdmission = ReturnType<typeof createCallAdmission>;

export function createCallAdmission(
  { identify, events, isAdministrator = () => false, ...options }: CallAdmissionOptions,
  { accounts, admission, streams, publicShare, connections, onLimit }: Resources,
) {
  const { authenticate = ({ socket }) => identify(socket) } = options;

  function admit(
    arrival: PresentedCall,
    access: Access,
    publicCostMs: number,
    budgetMs: number,
  ): Admission | Rejection {
    const { socket } = arrival;
    let caller: Caller;
    try {
      // What is public is for everyone: who is connected is only noted, and no credential is looked at.
      caller = access === 'public' ? peerOrAnonymous(socket) : authenticate(arrival);
    } catch (thrown) {
      if (thrown instanceof EctError) return unidentified(socket, thrown);
      events.bug(arrival.method, thrown);
      return rejection(accounts.ofConnection(socket), ANONYMOUS, asEctError(thrown));
    }
    return admitCaller(caller, socket, access, publicCostMs, budgetMs);
  }

  function admitCaller(
    caller: Caller,
    socket: Socket,
    access: Access,
    publicCostMs: number,
    budgetMs: number,
  ): Admission | Rejection {
    if (access === 'public') {
      const account = accounts.ofConnection(socket);
      if (publicCostMs > 0 && !publicShare.take(socket, publicCostMs)) {
        onLimit('public_requests');
        const error = publicShare.isBeyondRate(socket) ? TOO_MANY_OWN_PUBLIC : TOO_MANY_PUBLIC;
        return rejection(account, ANONYMOUS, error, PUBLIC_REJECTION_COST);
      }
      connections.used(socket);
      return { caller, account };
    }
    const account = accountOfCaller(caller, socket);
    connections.used(socket);
    if (access === 'admin') {
      if (isAdministrator(caller)) return { caller, account };
      const error = new EctError(reject('ADMIN_REQUIRED', 'only administrators may call this method'));
      return rejection(account, caller, error);
    }
    if (admission.admits(account, budgetMs)) return { caller, account };
    onLimit('open_calls');
    return rejection(account, caller, tooManyCallsOf(account));
  }

  /** The excess of all callers, or that of this one alone. */
  function tooManyCallsOf({ openCalls }: Account): EctError {
    return openCalls >= MAX_ACCOUNT_CALLS ? TOO_MANY_OWN_CALLS : OVERLOADED;
  }

  function tooManyStreamsOf(socket: Socket): EctError {
    return streams.hasShare(socket) ? TOO_MANY_OWN_STREAMS : TOO_MANY_STREAMS;
  }

  function accountOfCaller(caller: Caller, socket: Socket): Account {
    return caller.kind === 'anonymous' ? accounts.ofConnection(socket) : accounts.ofCaller(caller.id);
  }

  /** Who pays for what a connection sends before a call says who made it. */
  function accountOf(socket: Socket): Account {
    try {
      return accountOfCaller(identify(socket), socket);
    } catch {
      // A connection that proves nothing by itself may carry requests that do.
      return options.authenticate === undefined ? accounts.unidentified : accounts.ofConnection(socket);
    }
  }

  /** A caller that goes on calling though its calls are rejected is slowed down: it must not cost more than its share. */
  function rejection(account: Account, caller: Caller, error: EctError, cost = 1): Rejection {
    if (account.refusals.take(performance.now(), cost)) return { error, caller, penalty: 'none' };
    onLimit('rejections');
    return { error, caller, penalty: cost >= PUBLIC_REJECTION_COST ? 'rest' : 'throttle' };
  }

  /** After an authentication failure a retry is useless. */
  function unidentified(socket: Socket, error: EctError): Rejection {
    const peer = peerOrAnonymous(socket);
    // An authenticated peer may forward the requests of many callers: the failure of one must not end the connection of all.
    if (peer.kind !== 'anonymous') return rejection(accounts.ofCaller(peer.id), peer, error);
    const now = performance.now();
    const isBearable =
      accounts.ofConnection(socket).refusals.take(now, UNIDENTIFIED_COST) && accounts.unidentified.refusals.take(now);
    if (isBearable) return { error, caller: ANONYMOUS, penalty: 'none' };
    onLimit('rejections');
    return { error, caller: ANONYMOUS, penalty: 'disconnect' };
  }

  /** Who is connected, as far as the connection proves it. */
  function peerOrAnonymous(socket: Socket): Caller {
    try {
      return identify(socket);
    } catch {
      return ANONYMOUS;
    }
  }

  return { admit, admitCaller, accountOf, rejection, tooManyCallsOf, tooManyStreamsOf };
}
