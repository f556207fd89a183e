// Determines, from the headers of a request only, its caller, the account that it is charged to, and whether it is admitted.

import type { Socket } from 'node:net';
import type { Caller } from '../authority/index.ts';
import type { Authenticate } from '../callers/authenticate.ts';
import { EctError, reject } from '../errors.ts';
import { type Account, MAX_ACCOUNT_CALLS, type Resources } from '../limits/index.ts';
import type { Events } from '../telemetry/events.ts';
import type { Access } from './call.ts';
import { CarriedCallers } from './carried-callers.ts';
import { asEctError } from './errors.ts';
import type { OpenCall, PresentedCall } from './open-call.ts';
import {
  OVERLOADED,
  TOO_MANY_OWN_CALLS,
  TOO_MANY_OWN_PUBLIC,
  TOO_MANY_OWN_STREAMS,
  TOO_MANY_PUBLIC,
  TOO_MANY_STREAMS,
} from './overload.ts';
import { LONG_THROTTLE_MS, NO_PENALTY, type Penalty, SHARED_THROTTLE_MS, THROTTLE_MS } from './penalty.ts';

export interface CallAdmissionOptions {
  readonly events: Events;
  /** The caller that a connection proves. Throws CALLER_UNTRUSTED or CALLER_ID_INVALID. */
  readonly identify: (socket: Socket) => Caller;
  /** The caller of a request, if its headers matter too. Otherwise the connection determines it. */
  readonly authenticate?: Authenticate | undefined;
  /** Whether a caller is an administrator. Undefined: there are no administrators. */
  readonly isAdministrator?: (caller: Caller) => boolean;
}

/** A rejected request, and the penalty for its connection. */
export interface Rejection {
  readonly error: EctError;
  /** The caller, as far as it is authenticated. */
  readonly caller: Caller;
  readonly penalty: Penalty;
}

/** An admitted call: its caller and its account. */
export interface Admission {
  readonly caller: Caller;
  readonly account: Account;
}

/** The cost of a rejected call on a connection without an authenticated caller, relative to other rejections. */
const UNIDENTIFIED_COST = 20;
/** The cost of a rejected public request: these need no identity, so that each connection has its own bucket. */
export const PUBLIC_REJECTION_COST = 10;

/** Bytes of a request that was read and then rejected that cost as much as one rejection by its headers. */
const BYTES_PER_REJECTION = 16 * 1024;
/** The longest pause of a connection for such requests, in milliseconds. */
const MAX_DEBT_MS = 5_000;
/** The rate at which such requests are read from a connection that carries the calls of others too: 64 MiB a second. */
const SHARED_BYTES_PER_MS = 64 * 1024;
/** An account owes no more than it can pay in this time, in milliseconds: a flood of a minute must not count for hours. */
const MAX_OWED_MS = 60_000;

export const ANONYMOUS: Caller = { kind: 'anonymous' };

export type CallAdmission = ReturnType<typeof createCallAdmission>;

export function createCallAdmission(
  { identify, events, isAdministrator = () => false, ...options }: CallAdmissionOptions,
  { accounts, admission, streams, publicShare, connections, onLimit }: Resources,
) {
  const { authenticate = ({ socket }) => identify(socket) } = options;
  const carried = new CarriedCallers();

  function admit(
    arrival: PresentedCall,
    access: Access,
    publicCostMs: number,
    budgetMs: number,
  ): Admission | Rejection {
    const { socket } = arrival;
    let caller: Caller;
    try {
      // Public methods are open to everyone: the peer is only noted, and no credential is checked.
      caller = access === 'public' ? peerOrAnonymous(socket) : authenticate(arrival);
    } catch (thrown) {
      if (thrown instanceof EctError) return unidentified(socket, thrown);
      events.bug(arrival.method, thrown);
      return rejectionOn(socket, accounts.ofConnection(socket), ANONYMOUS, asEctError(thrown));
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
        return rejectionOn(socket, account, ANONYMOUS, error, PUBLIC_REJECTION_COST);
      }
      connections.used(socket);
      return { caller, account };
    }
    const account = accountOfCaller(caller, socket);
    connections.used(socket);
    // Without credentials of requests a connection has one caller.
    if (options.authenticate !== undefined && caller.kind !== 'anonymous') {
      carried.note(socket, caller.id, () => nameOf(peerOrAnonymous(socket)));
    }
    if (access === 'admin') {
      if (isAdministrator(caller)) return { caller, account };
      const error = new EctError(reject('ADMIN_REQUIRED', 'only administrators may call this method'));
      return rejectionOn(socket, account, caller, error);
    }
    if (admission.admits(account, budgetMs)) return { caller, account };
    onLimit('open_calls');
    return rejectionOn(socket, account, caller, tooManyCallsOf(account));
  }

  /** The error for too many calls of all callers, or of this one alone. */
  function tooManyCallsOf({ openCalls }: Account): EctError {
    return openCalls >= MAX_ACCOUNT_CALLS ? TOO_MANY_OWN_CALLS : OVERLOADED;
  }

  function tooManyStreamsOf(socket: Socket): EctError {
    return streams.hasShare(socket) ? TOO_MANY_OWN_STREAMS : TOO_MANY_STREAMS;
  }

  function accountOfCaller(caller: Caller, socket: Socket): Account {
    return caller.kind === 'anonymous' ? accounts.ofConnection(socket) : accounts.ofCaller(caller.id, socket);
  }

  /** The account that pays for a connection until a call has a caller. */
  function accountOf(socket: Socket): Account {
    try {
      return accountOfCaller(identify(socket), socket);
    } catch {
      // A connection without an identity may carry requests that have one.
      return options.authenticate === undefined ? accounts.unidentified : accounts.ofConnection(socket);
    }
  }

  /**
   * A caller that continues while its calls are rejected is throttled, so that it does not cost more than its share. A connection with
   * calls of others too is not: the fair order of reading alone bounds what its requests cost.
   */
  function rejectionOn(socket: Socket, account: Account, caller: Caller, error: EctError, cost = 1): Rejection {
    if (account.rejections.take(performance.now(), cost)) return { error, caller, penalty: NO_PENALTY };
    onLimit('rejections');
    if (carried.areSeveral(socket)) return { error, caller, penalty: NO_PENALTY };
    return { error, caller, penalty: cost >= PUBLIC_REJECTION_COST ? LONG_THROTTLE_MS : THROTTLE_MS };
  }

  /** The longest pause of a connection for what one of its calls does. */
  function mostPauseMs(socket: Socket): number {
    return carried.areSeveral(socket) ? SHARED_THROTTLE_MS : Number.POSITIVE_INFINITY;
  }

  /**
   * Charges a call that is rejected for overload after its request was read. When the account owes more than its rejections allow,
   * the connection is not read until that is paid; for a short time if it may carry the calls of other callers, and if it does, for as
   * long as its bytes would take at a bounded rate.
   */
  function chargeRejectedRequest(call: OpenCall): void {
    const { rejections } = call.account;
    const now = performance.now();
    if (rejections.waitMs(now, 0) < MAX_OWED_MS) rejections.charge(now, call.requestBytes / BYTES_PER_REJECTION);
    const debtMs = rejections.waitMs(now, 0);
    if (debtMs === 0) return;
    onLimit('rejections');
    if (carried.areSeveral(call.socket)) {
      call.penalty = Math.min(Math.floor(call.requestBytes / SHARED_BYTES_PER_MS), SHARED_THROTTLE_MS);
    } else call.penalty = Math.min(debtMs, accountOf(call.socket) === call.account ? MAX_DEBT_MS : THROTTLE_MS);
  }

  /** After an authentication failure a retry is useless, so the limit is low. */
  function unidentified(socket: Socket, error: EctError): Rejection {
    const peer = peerOrAnonymous(socket);
    // An authenticated peer may forward requests of many callers: the failure of one must not end the connection of all.
    if (peer.kind !== 'anonymous') return rejectionOn(socket, accounts.ofCaller(peer.id, socket), peer, error);
    // Nor may the rejections of strangers end the connection of a caller whose token has just expired.
    if (carried.hasAny(socket))
      return rejectionOn(socket, accounts.ofConnection(socket), ANONYMOUS, error, UNIDENTIFIED_COST);
    const now = performance.now();
    const isBearable =
      accounts.ofConnection(socket).rejections.take(now, UNIDENTIFIED_COST) &&
      accounts.unidentified.rejections.take(now);
    if (isBearable) return { error, caller: ANONYMOUS, penalty: NO_PENALTY };
    onLimit('rejections');
    return { error, caller: ANONYMOUS, penalty: 'disconnect' };
  }

  /** The caller that the connection proves, or anonymous. */
  function peerOrAnonymous(socket: Socket): Caller {
    try {
      return identify(socket);
    } catch {
      return ANONYMOUS;
    }
  }

  return {
    admit,
    admitCaller,
    accountOf,
    mostPauseMs,
    rejectionOn,
    chargeRejectedRequest,
    tooManyCallsOf,
    tooManyStreamsOf,
  };
}

function nameOf(caller: Caller): string | undefined {
  return caller.kind === 'anonymous' ? undefined : caller.id;
}
