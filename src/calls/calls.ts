// What a call is, whichever transport it came by: opened by its headers, let in when its request was read whole, begun when it is its
// turn. Transports read and write bytes; everything else about a call is decided here.

import type { Caller } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import { createResources, DEFAULT_PROCESS_LIMITS, PUBLIC_COST_MS, type Resources } from '../limits/index.ts';
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
  /** What calls share. */
  readonly resources?: Resources;
}

type CallKind = 'unary' | 'stream';

export type Calls = ReturnType<typeof createCalls>;

/** The calls of one server. */
export function createCalls(options: CallsOptions) {
  const { events, callLimits, resources = createResources(DEFAULT_PROCESS_LIMITS) } = options;
  const { accounts, admission, scheduler, unread, streams, onLimit } = resources;
  const mayCall = createCallAdmission(options, resources);
  const { admit, admitCaller, rejection, tooManyCallsOf, tooManyStreamsOf } = mayCall;
  const { perform, stream, fail } = createProcedures(options, resources, mayCall);

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

  /** Judges a request by its headers, for a transport that opens the call later. Returns who makes it, or why it is rejected. */
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
    const forbidden = rejection(accounts.ofConnection(arrival.socket), ANONYMOUS, error, PUBLIC_REJECTION_COST);
    rejected(arrival, forbidden).finish(error);
    return forbidden;
  }

  /** A request that is rejected before it could be opened: an unknown method, a header that cannot be read. */
  function rejectedEarly(arrival: Arrival, error: EctError): void {
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
   * there is too much to do. `begin` does not throw; it runs in the async context of the call, which may be stopped before it.
   */
  function enter(call: OpenCall, bytes: number, begin: () => void): void {
    call.stage = 'waiting';
    unread.delete(call);
    if (call.stopped !== undefined) throw fail(call, call.stopped);
    // A caller that checks whether the service is healthy, or repairs it, must get through also where it has much to do.
    if (call.access !== 'callers') {
      call.stage = 'begun';
      call.run(begin);
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
      call.run(begin);
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

  /** Lets a call in and runs its procedure, for who waits for the response in any case. */
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

  return {
    open,
    openFor,
    judge,
    forbid,
    rejectedEarly,
    abandoned,
    accountOf: mayCall.accountOf,
    arriving,
    enter,
    perform,
    run,
    stream,
    resources,
  };
}
