// What a call is, whichever door it came through: who may make it, how long it may take, which error it ends with, and
// its one event. Doors read and write bytes; everything else about a call is decided here.

import type { Socket } from 'node:net';
import type { Caller } from '../authority/index.ts';
import { EctError, refuse } from '../errors.ts';
import type { Events } from '../events.ts';
import { type Admission, createAdmission } from './admission.ts';
import { type Access, type AnyService, accessOf } from './call.ts';
import { MAX_CALL_MS } from './deadline.ts';
import { asEctError, isFault } from './errors.ts';
import { type Arrival, OpenCall } from './open-call.ts';
import { createTurns, type Turns } from './turns.ts';

export interface CallsOptions {
  readonly events: Events;
  /** Who is at the other end of a connection. Throws CALLER_UNTRUSTED or CALLER_ID_INVALID. */
  readonly identify: (socket: Socket) => Caller;
  /** Who may call what is for administrators. Nobody, where it is not said. */
  readonly isAdministrator?: (caller: Caller) => boolean;
  /** Aborted when the service drains. */
  readonly draining: AbortSignal;
  /** Which calls may begin, and when. */
  readonly admission?: Admission;
  readonly turns?: Turns;
}

/** Made once: what is refused because there is too much must cost next to nothing. */
export const OVERLOADED = new EctError(
  refuse('SERVICE_OVERLOADED', 'the service has more calls than it can answer in time'),
);

export type Calls = ReturnType<typeof createCalls>;

/** The calls of one server. */
export function createCalls(options: CallsOptions) {
  const { events, identify, draining, isAdministrator = () => false } = options;
  const { admission = createAdmission(), turns = createTurns() } = options;

  /**
   * Opens a call of a service. `timeoutMs` is what its caller asked for; a unary call gets no more than the cap. Under too
   * much load the call is stopped before it is read. Public services (health, keys) always answer.
   */
  function open(
    arrival: Arrival,
    kind: 'unary' | 'stream',
    timeoutMs: number | undefined,
    access: AnyService['access'] = 'callers',
  ): OpenCall {
    const limit = kind === 'unary' ? Math.min(timeoutMs ?? MAX_CALL_MS, MAX_CALL_MS) : timeoutMs;
    const counts = access === 'callers' && limit !== undefined;
    if (counts && !admission.admits(limit)) {
      const call = new OpenCall(arrival, events);
      call.stop(OVERLOADED);
      return call;
    }
    if (counts) admission.begun();
    const call = new OpenCall(arrival, events, counts ? admission.ended : undefined);
    if (limit !== undefined) call.limit(limit);
    return call;
  }

  /** A call that is refused before it could be opened: an unknown method, a header that cannot be read. */
  function refused(arrival: Arrival, error: EctError): void {
    new OpenCall(arrival, events).finish(error);
  }

  /**
   * Lets a unary call in, and begins it when it is its turn: now, or after those that stand in line before it. Throws EctError
   * where it may not be made. `begin` does not throw. Whoever stands in line should hold bytes and little else, since the
   * garbage collector moves the objects of all who wait; a call may be stopped while it stands there.
   */
  function enter(service: AnyService, localName: string, call: OpenCall, begin: () => void): void {
    let access: Access;
    try {
      access = accessOf(service, localName);
      admit(access, call);
    } catch (thrown) {
      throw fail(call, thrown);
    }
    // Whoever looks whether the service is well must see it also where it has much to do.
    if (access !== 'public' && turns.isFull()) turns.stand(begin);
    else begin();
  }

  /** Runs the procedure of a call whose turn it is; `read` answers the request. Throws nothing but EctError. */
  async function perform(
    service: AnyService,
    localName: string,
    read: () => unknown,
    call: OpenCall,
  ): Promise<unknown> {
    try {
      if (call.stopped !== undefined) throw call.stopped;
      const answer = service.procedures[localName]?.(read() as never, call);
      const message =
        answer instanceof Promise ? await call.untilOver(answer, (late) => reportLate(call, late)) : answer;
      call.finish();
      return message;
    } catch (thrown) {
      throw fail(call, thrown);
    }
  }

  /** Both, for who waits for the answer in any case. */
  function run(service: AnyService, localName: string, read: () => unknown, call: OpenCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      enter(service, localName, call, () => void perform(service, localName, read, call).then(resolve, reject));
      call.onStop((error) => reject(fail(call, error)));
    });
  }

  /** Runs a streaming procedure. It ends with the caller, its deadline, or the service: with SERVICE_DRAINING. */
  async function* stream(service: AnyService, localName: string, request: unknown, call: OpenCall) {
    const drain = () => call.stop(drainingError());
    draining.addEventListener('abort', drain, { once: true });
    let answers: AsyncIterator<unknown> | undefined;
    try {
      admit(accessOf(service, localName), call);
      if (draining.aborted) throw drainingError();
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
      draining.removeEventListener('abort', drain);
      call.abandon();
      // Not awaited: a generator that is stuck would hold the answer back.
      answers?.return?.()?.catch(() => undefined);
    }
  }

  /** Checks that the call may begin, proves its caller, and that the caller may make it. */
  function admit(access: Access, call: OpenCall): void {
    call.entered = true;
    if (call.stopped !== undefined) throw call.stopped;
    if (access === 'public') {
      call.caller = knownOrAnonymous(call.socket);
      return;
    }
    if (draining.aborted) throw drainingError();
    call.caller = identify(call.socket);
    if (access === 'admin' && !isAdministrator(call.caller)) {
      throw new EctError(refuse('ADMIN_REQUIRED', 'only administrators may call this method'));
    }
  }

  /** Public services serve everyone; an identity is only noted. */
  function knownOrAnonymous(socket: Socket): Caller {
    try {
      return identify(socket);
    } catch {
      return { kind: 'anonymous' };
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

  return { open, refused, enter, perform, run, stream };
}

function drainingError(): EctError {
  return new EctError(refuse('SERVICE_DRAINING', 'this instance is shutting down'));
}
