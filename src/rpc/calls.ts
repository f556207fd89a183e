// What a call is, whichever transport it came by: who may make it, how long it may take, which error it ends with, and its one
// event. Transports read and write bytes; everything else about a call is decided here.

import type { Socket } from 'node:net';
import { type Authorizer, type Caller, proofOf } from '../authority/index.ts';
import { underDeadline } from '../call-deadline.ts';
import type { Authenticate } from '../callers/authenticate.ts';
import { EctError, refuse } from '../errors.ts';
import type { Events } from '../events.ts';
import {
  type Account,
  type CallLimits,
  createResources,
  DEFAULT_PROCESS_LIMITS,
  MAX_ACCOUNT_CALLS,
  PUBLIC_COST_MS,
  type Resources,
} from '../limits/index.ts';
import type { Access, AnyService } from './call.ts';
import { MAX_CALL_MS } from './deadline.ts';
import { asEctError, isFault } from './errors.ts';
import { MAX_ANSWER_BYTES } from './limits.ts';
import { type Arrival, OpenCall, type PresentedCall } from './open-call.ts';
import {
  NO_ROOM_FOR_ANSWER,
  OVERLOADED,
  TOO_MANY_OWN_CALLS,
  TOO_MANY_OWN_PUBLIC,
  TOO_MANY_OWN_STREAMS,
  TOO_MANY_PUBLIC,
  TOO_MANY_STREAMS,
} from './overload.ts';
import type { Penalty } from './penalty.ts';
import { demandMethod } from './permission.ts';

export interface CallsOptions {
  readonly events: Events;
  /** Who is at the other end of a connection. Throws CALLER_UNTRUSTED or CALLER_ID_INVALID. */
  readonly identify: (socket: Socket) => Caller;
  /** Who makes a request, where its headers count too. Otherwise its connection alone says it. */
  readonly authenticate?: Authenticate | undefined;
  /** Who may call what is for administrators. Nobody, where it is not said. */
  readonly isAdministrator?: (caller: Caller) => boolean;
  /** What callers may do. Undefined: every identified caller may call what is not for administrators. */
  readonly authorizer?: Authorizer | undefined;
  /** How many calls each caller may make. Undefined: any number. */
  readonly callLimits?: CallLimits | undefined;
  /** Aborted when streams have to end because the service stops. Unary calls may finish. */
  readonly endOfStreams: AbortSignal;
  /** What calls share. */
  readonly resources?: Resources;
  /** Whether procedures run under the deadlines of their calls (call-deadline.ts): what waits for other machines asks for them. */
  readonly tellsDeadlines?: boolean;
}

/** A request that is rejected by its headers, and what its connection has to bear for it. */
export interface Rejection {
  readonly error: EctError;
  /** Who made it, as far as it is proven. */
  readonly caller: Caller;
  readonly penalty: Penalty;
}

/** A call that may be made: who makes it, and who pays for it. */
interface Admission {
  readonly caller: Caller;
  readonly account: Account;
}

/** A connection that has not proven a caller pays this many times as much for a call that is rejected. */
const UNIDENTIFIED_COST = 20;
/** And this many times where it asks too much of what is public: it proves nothing, and each of its connections has a bucket. */
const PUBLIC_REFUSAL_COST = 10;

const ANONYMOUS: Caller = { kind: 'anonymous' };

type CallKind = 'unary' | 'stream';

export type Calls = ReturnType<typeof createCalls>;

/** The calls of one server. */
export function createCalls(options: CallsOptions) {
  const { events, identify, endOfStreams, isAdministrator = () => false, tellsDeadlines = false } = options;
  const { authorizer, callLimits } = options;
  const { authenticate = ({ socket }) => identify(socket) } = options;
  const { resources = createResources(DEFAULT_PROCESS_LIMITS) } = options;
  const { accounts, admission, scheduler, unread, streams, publicShare, connections, onLimit } = resources;

  /**
   * Opens a call by its headers: before anything of its request is kept, decompressed or parsed it is decided who makes it,
   * whether it may, and whether there is room. `timeoutMs` is what its caller asked for; a unary call gets no more than the
   * cap. A call that is rejected is stopped already.
   */
  function open(
    arrival: PresentedCall,
    kind: CallKind,
    timeoutMs: number | undefined,
    access: Access = 'callers',
  ): OpenCall {
    const limit = limitOf(kind, timeoutMs);
    return opened(arrival, admit(arrival, access, PUBLIC_COST_MS.unary, limit ?? MAX_CALL_MS), access, limit);
  }

  /** The same for a call whose headers passed `judge`, which answered its caller. */
  function openFor(
    caller: Caller,
    arrival: Arrival,
    kind: CallKind,
    timeoutMs: number | undefined,
    access: Access,
  ): OpenCall {
    const limit = limitOf(kind, timeoutMs);
    return opened(arrival, admitCaller(caller, arrival.socket, access, 0, limit ?? MAX_CALL_MS), access, limit);
  }

  function limitOf(kind: CallKind, timeoutMs: number | undefined): number | undefined {
    return kind === 'unary' ? Math.min(timeoutMs ?? MAX_CALL_MS, MAX_CALL_MS) : timeoutMs;
  }

  function opened(
    arrival: Arrival,
    judged: Admission | Rejection,
    access: Access,
    limit: number | undefined,
  ): OpenCall {
    if ('error' in judged) return rejected(arrival, judged);
    const counted = access === 'public' ? undefined : callLimits?.enter(judged.caller);
    if (counted instanceof EctError) {
      onLimit('caller_calls');
      return rejected(arrival, rejection(judged.account, judged.caller, counted));
    }
    const call = new OpenCall(arrival, judged.account, events, onFinish);
    call.leave = counted;
    call.caller = judged.caller;
    call.access = access;
    if (limit !== undefined) call.limit(limit);
    return call;
  }

  function rejected(arrival: Arrival, { error, penalty, caller }: Rejection): OpenCall {
    const call = new OpenCall(arrival, accounts.ofConnection(arrival.socket), events);
    call.caller = caller;
    call.penalty = penalty;
    call.stop(error);
    return call;
  }

  /** Judges a request by its headers, for a transport that opens the call later. Answers who makes it, or why it is rejected. */
  function judge(
    arrival: PresentedCall,
    access: Access,
    publicCostMs: number,
    kind: CallKind = 'unary',
  ): Caller | Rejection {
    const judged = admit(arrival, access, publicCostMs, MAX_CALL_MS);
    if ('error' in judged) {
      rejected(arrival, judged).finish(judged.error);
      return judged;
    }
    // It takes its slot when it begins; until then nothing was done for a stream that has none.
    if (kind === 'unary' || streams.hasRoom(arrival.socket)) return judged.caller;
    onLimit('streams');
    return forbid(arrival, tooManyStreamsOf(arrival.socket));
  }

  function forbid(arrival: Arrival, error: EctError): Rejection {
    const forbidden = rejection(accounts.ofConnection(arrival.socket), ANONYMOUS, error, PUBLIC_REFUSAL_COST);
    rejected(arrival, forbidden).finish(error);
    return forbidden;
  }

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
      return unidentified(socket, asEctError(thrown));
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
        return rejection(account, ANONYMOUS, error, PUBLIC_REFUSAL_COST);
      }
      connections.used(socket);
      return { caller, account };
    }
    const account = accountOfCaller(caller, socket);
    connections.used(socket);
    if (access === 'admin') {
      if (isAdministrator(caller)) return { caller, account };
      const error = new EctError(refuse('ADMIN_REQUIRED', 'only administrators may call this method'));
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
    return { error, caller, penalty: cost >= PUBLIC_REFUSAL_COST ? 'rest' : 'throttle' };
  }

  /** Who cannot prove a caller has nothing to gain by calling again. */
  function unidentified(socket: Socket, error: EctError): Rejection {
    const peer = peerOrAnonymous(socket);
    // A proven peer may carry the requests of many: what one of them cannot prove must not end the connection of all.
    if (peer.kind !== 'anonymous') return rejection(accounts.ofCaller(peer.id), peer, error);
    const now = performance.now();
    const isBearable =
      accounts.ofConnection(socket).refusals.take(now, UNIDENTIFIED_COST) && accounts.unidentified.refusals.take(now);
    if (isBearable) return { error, caller: ANONYMOUS, penalty: 'none' };
    onLimit('rejections');
    return { error, caller: ANONYMOUS, penalty: 'disconnect' };
  }

  /** A request that is refused before it could be opened: an unknown method, a header that cannot be read. */
  function refused(arrival: Arrival, error: EctError): void {
    new OpenCall(arrival, accounts.ofConnection(arrival.socket), events).finish(error);
  }

  /** A call that was cancelled before it was opened. */
  function abandoned(arrival: Arrival): void {
    new OpenCall(arrival, accounts.ofConnection(arrival.socket), events).abandon();
  }

  /** The request of this call has not arrived whole with its headers. It may take a while, and no longer. */
  function arriving(call: OpenCall): void {
    if (call.stage === 'unread' && call.stopped === undefined && !call.isFinished) unread.add(call);
  }

  /**
   * Lets a unary call in whose request of so many bytes was read whole, and begins it when it is its turn. Throws EctError where
   * there is too much to do. `begin` does not throw; a call may be stopped before it.
   */
  function enter(call: OpenCall, bytes: number, begin: () => void): void {
    call.stage = 'waiting';
    unread.delete(call);
    if (call.stopped !== undefined) throw fail(call, call.stopped);
    // Whoever looks whether the service is well, or repairs it, must get through also where it has much to do.
    if (call.access !== 'callers') {
      call.stage = 'begun';
      begin();
      return;
    }
    const { account } = call;
    if (!admission.admits(account, call.remainingMs)) {
      onLimit('open_calls');
      account.refusals.take(performance.now());
      throw fail(call, tooManyCallsOf(account));
    }
    admission.begun(account);
    call.isCounted = true;
    scheduler.enter(account, { weight: call.weight, bytes }, () => {
      if (call.isFinished || call.stopped !== undefined) return false;
      call.stage = 'begun';
      begin();
      return true;
    });
  }

  function onFinish(call: OpenCall): void {
    call.leave?.();
    if (call.stage === 'unread') unread.delete(call);
    if (!call.isCounted) return;
    admission.ended(call.account);
    if (call.stage === 'begun') scheduler.ended(call.account, call.weight);
  }

  /**
   * Runs the procedure of a call whose turn it is; `read` answers the request, and `write` what is sent of the answer. Until that
   * is written the call keeps its place among those that have begun. Throws nothing but EctError.
   */
  async function perform<Written>(
    service: AnyService,
    localName: string,
    read: () => unknown,
    call: OpenCall,
    write: (answer: unknown) => Written | Promise<Written> = (answer) => answer as Written,
  ): Promise<Written> {
    try {
      if (call.stopped !== undefined) throw call.stopped;
      const request = read();
      const ready = request instanceof Promise ? await call.untilOver(request) : request;
      const proven = proofOf(call.caller)?.demandUnused?.();
      if (proven !== undefined) await call.untilOver(proven);
      demandPermitted(service, localName, ready, call);
      const answerBytes = service.answerBytes?.[localName];
      if (answerBytes !== undefined) {
        const bytes = timed(call, () => answerBytes(ready as never, call));
        reserveAnswer(call, bytes instanceof Promise ? await call.untilOver(bytes) : bytes);
      }
      const answer = timed(call, () => service.procedures[localName]?.(ready as never, call));
      const message =
        answer instanceof Promise ? await call.untilOver(answer, (late) => reportLate(call, late)) : answer;
      const written = write(message);
      // What takes long is written in slices, and ends with the call.
      const answered = written instanceof Promise ? await call.untilOver(written) : written;
      call.finish();
      return answered;
    } catch (thrown) {
      throw fail(call, thrown);
    }
  }

  /** After the request was read, and before anything is done for it. */
  function demandPermitted(service: AnyService, localName: string, request: unknown, call: OpenCall): void {
    if (call.access === 'public') return;
    demandMethod(authorizer, service, localName, call.caller);
    const { items } = (request ?? {}) as { readonly items?: unknown };
    if (Array.isArray(items) && items.length > 1) callLimits?.charge(call.caller, items.length - 1);
  }

  function timed<T>(call: OpenCall, work: () => T): T {
    return tellsDeadlines ? underDeadline(call.answerByMs, work) : work();
  }

  /** Before anything is done for the call: what was done could not be told where there is no room for the answer. */
  function reserveAnswer(call: OpenCall, bytes: number): void {
    if (bytes > MAX_ANSWER_BYTES) throw answerTooLarge(bytes);
    if (call.reserve?.(bytes) !== false) return;
    onLimit('held_bytes');
    throw NO_ROOM_FOR_ANSWER;
  }

  /** Both, for who waits for the answer in any case. */
  function run<Written>(
    service: AnyService,
    localName: string,
    read: () => unknown,
    call: OpenCall,
    write: (answer: unknown) => Written | Promise<Written> = (answer) => answer as Written,
  ): Promise<Written> {
    call.weight = service.weights?.[localName] ?? 1;
    return new Promise((resolve, reject) => {
      enter(call, call.requestBytes, () => void perform(service, localName, read, call, write).then(resolve, reject));
      call.onStop((error) => reject(fail(call, error)));
    });
  }

  /** Runs a streaming procedure. It ends with the caller, its deadline, or the service: with SERVICE_DRAINING. */
  async function* stream(service: AnyService, localName: string, request: unknown, call: OpenCall) {
    const drain = () => call.stop(drainingError());
    endOfStreams.addEventListener('abort', drain, { once: true });
    let answers: AsyncIterator<unknown> | undefined;
    let giveBack: (() => void) | undefined;
    try {
      unread.delete(call);
      call.stage = 'begun';
      if (call.stopped !== undefined) throw call.stopped;
      if (endOfStreams.aborted) throw drainingError();
      giveBack = streams.take(call.socket);
      if (giveBack === undefined) {
        onLimit('streams');
        throw tooManyStreamsOf(call.socket);
      }
      const proven = proofOf(call.caller)?.demandUnused?.();
      if (proven !== undefined) await call.untilOver(proven);
      if (call.access !== 'public') demandMethod(authorizer, service, localName, call.caller);
      answers = service.streams?.[localName]?.(request as never, call)[Symbol.asyncIterator]();
      if (answers === undefined) throw new TypeError(`no procedure ${localName}`);
      for (;;) {
        const next = await call.untilOver(answers.next(), (late) => reportLate(call, late));
        if (next.done === true) break;
        yield next.value;
      }
      call.finish();
    } catch (thrown) {
      throw fail(call, thrown);
    } finally {
      endOfStreams.removeEventListener('abort', drain);
      giveBack?.();
      call.abandon();
      // Not awaited: a generator that is stuck would hold the answer back.
      answers?.return?.()?.catch(() => undefined);
    }
  }

  /** Who is connected, as far as the connection proves it. */
  function peerOrAnonymous(socket: Socket): Caller {
    try {
      return identify(socket);
    } catch {
      return ANONYMOUS;
    }
  }

  /** A bug that shows after the caller was answered is still a bug. Being aborted is not. */
  function reportLate(call: OpenCall, thrown: unknown): void {
    if (thrown instanceof EctError || (thrown instanceof Error && thrown.name === 'AbortError')) return;
    events.bug(call.method, thrown);
  }

  function fail(call: OpenCall, thrown: unknown): EctError {
    const error = asEctError(thrown);
    if (error.reason === 'INTERNAL') events.bug(call.method, error.cause ?? error);
    else if (isFault(error.reason) && error.cause !== undefined) events.dependencyFailed(error.reason, error.cause);
    call.finish(error);
    return error;
  }

  return {
    open,
    openFor,
    judge,
    forbid,
    refused,
    abandoned,
    accountOf,
    arriving,
    enter,
    perform,
    run,
    stream,
    resources,
  };
}

function answerTooLarge(bytes: number): EctError {
  const message = `the answer could have ${bytes} bytes, more than ${MAX_ANSWER_BYTES}; nothing was done`;
  return new EctError(refuse('MESSAGE_TOO_LARGE', message, { limit_bytes: String(MAX_ANSWER_BYTES) }));
}

function drainingError(): EctError {
  return new EctError(refuse('SERVICE_DRAINING', 'this instance is shutting down'));
}
