// The stages of a call, in every transport: opened with its headers, admitted with its complete request, started by the scheduler.
// Transports read and write bytes; everything else about a call is decided here.

import type { Caller } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import {
  type Account,
  createResources,
  DEFAULT_PROCESS_LIMITS,
  PUBLIC_COST_MS,
  type Resources,
} from '../limits/index.ts';
import type { Access, AnyService } from './call.ts';
import {
  type Admission,
  ANONYMOUS,
  type CallAdmissionOptions,
  createCallAdmission,
  PUBLIC_REJECTION_COST,
  type Rejection,
} from './call-admission.ts';
import { MAX_CALL_MS } from './deadline.ts';
import { type Arrival, OpenCall, type PresentedCall } from './open-call.ts';
import { createProcedures, type ProcedureOptions } from './procedures.ts';

export interface CallsOptions extends CallAdmissionOptions, ProcedureOptions {
  /** What all calls share. */
  readonly resources?: Resources;
}

type CallKind = 'unary' | 'stream';

/**
 * A request of more bytes makes its call a heavy one, of which few have begun at once. Only the bytes of a request are counted, but its
 * message, and the results of its items, can take several times as much memory. A call that waits holds its bytes alone.
 */
const LARGE_BYTES = 64 * 1024;
/** The least weight of a heavy call. */
const HEAVY = 2;

export type Calls = ReturnType<typeof createCalls>;

/** The calls of one server. */
export function createCalls(options: CallsOptions) {
  const { events, authorizer, callLimits, resources = createResources(DEFAULT_PROCESS_LIMITS) } = options;
  const { accounts, admission, scheduler, unread, streams, onLimit } = resources;
  const mayCall = createCallAdmission(options, resources);
  const { admit, admitCaller, rejectionOn, tooManyCallsOf, tooManyStreamsOf } = mayCall;
  const { perform, stream, fail } = createProcedures(options, resources, mayCall);
  /** The accounts of callers for whom a policy file decides. */
  const payers = new WeakMap<Caller, Account>();
  authorizer?.onComputed?.((caller, ms) => {
    const payer = payers.get(caller);
    if (payer !== undefined) scheduler.charge(payer, ms);
  });

  /**
   * Opens a call with its headers, before its request is buffered, decompressed or parsed: determines its caller, checks whether it may
   * call, and whether there is room. `timeoutMs` is the requested timeout; a unary call has at most the maximum. A rejected call is
   * returned as stopped.
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

  /** The same for a call whose headers passed `judge`, which returned its caller. */
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
      return rejected(arrival, rejectionOn(arrival.socket, judged.account, judged.caller, counted));
    }
    const call = new OpenCall(arrival, judged.account, events, onFinish);
    call.leave = counted;
    call.caller = judged.caller;
    call.access = access;
    if (authorizer?.isBuiltIn === false && access === 'callers') payers.set(judged.caller, judged.account);
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

  /** Checks a request by its headers, for a transport that opens the call later. Returns its caller, or why it is rejected. */
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
    // The stream takes its slot when it starts; this check rejects it before any work.
    if (kind === 'unary' || streams.hasRoom(arrival.socket)) return judged.caller;
    onLimit('streams');
    return forbid(arrival, tooManyStreamsOf(arrival.socket));
  }

  function forbid(arrival: Arrival, error: EctError): Rejection {
    const { socket } = arrival;
    const forbidden = rejectionOn(socket, accounts.ofConnection(socket), ANONYMOUS, error, PUBLIC_REJECTION_COST);
    rejected(arrival, forbidden).finish(error);
    return forbidden;
  }

  /** Records a request that is rejected before it could be opened: an unknown method, an invalid header. */
  function rejectedEarly(arrival: Arrival, error: EctError): void {
    new OpenCall(arrival, accounts.ofConnection(arrival.socket), events).finish(error);
  }

  /** Records a call that was cancelled before it was opened. */
  function abandoned(arrival: Arrival): void {
    new OpenCall(arrival, accounts.ofConnection(arrival.socket), events).abandon();
  }

  /** Limits the time for the rest of a request that did not arrive with its headers. */
  function arriving(call: OpenCall): void {
    if (call.stage === 'unread' && call.stopped === undefined && !call.isFinished) unread.add(call);
  }

  /**
   * Admits a unary call with a complete request, which has so many `bytes` when it is read, and starts it when the scheduler selects it.
   * Throws EctError if the service is overloaded. `begin` does not throw; it runs in the async context of the call, unless the call was
   * stopped while it waited.
   */
  function enter(call: OpenCall, bytes: number, begin: () => void): void {
    call.stage = 'waiting';
    call.messageBytes = bytes;
    unread.delete(call);
    if (call.stopped !== undefined) throw fail(call, call.stopped);
    // Health checks and administrators must get through, also while their account has many calls.
    if (call.access !== 'callers') {
      call.stage = 'begun';
      call.run(begin);
      return;
    }
    const { account } = call;
    if (!admission.admits(account, call.remainingMs)) {
      onLimit('open_calls');
      account.rejections.take(performance.now());
      mayCall.chargeRejectedRequest(call);
      throw fail(call, tooManyCallsOf(account));
    }
    admission.begun(account);
    call.isCounted = true;
    if (bytes > LARGE_BYTES) call.weight = Math.max(call.weight, HEAVY);
    scheduler.enter(account, call.load, () => {
      if (call.isFinished || call.stopped !== undefined) return false;
      call.stage = 'begun';
      call.run(begin);
      return true;
    });
  }

  function onFinish(call: OpenCall): void {
    call.leave?.();
    if (call.stage === 'unread') unread.delete(call);
    if (!call.isCounted) return;
    admission.ended(call.account);
    if (call.stage === 'begun') scheduler.ended(call.account, call.load);
  }

  /** Admits a call, reads its request and runs its procedure, for a transport that waits for the response. */
  function run<Written>(
    service: AnyService,
    localName: string,
    read: () => unknown,
    call: OpenCall,
    write: (answer: unknown) => Written | Promise<Written> = (answer) => answer as Written,
  ): Promise<Written> {
    call.weight = service.weights?.[localName] ?? 1;
    const bytes = call.messageBytes || call.requestBytes;
    return new Promise((resolve, reject) => {
      enter(call, bytes, () => void perform(service, localName, read, call, write).then(resolve, reject));
      call.onStop((error) => reject(fail(call, error)));
    });
  }

  return {
    open,
    openFor,
    judge,
    forbid,
    rejectedEarly,
    abandoned,
    accountOf: mayCall.accountOf,
    mostPauseMs: mayCall.mostPauseMs,
    arriving,
    enter,
    perform,
    run,
    stream,
    resources,
  };
}
