// Runs the procedure of a call under its permission, deadline and response reservation, and converts everything that it throws into the
// error of the call.

import { type Authorizer, proofOf } from '../authority/index.ts';
import { underDeadline } from '../concurrency/call-deadline.ts';
import { EctError, reject } from '../errors.ts';
import type { CallLimits, Resources } from '../limits/index.ts';
import type { Events } from '../telemetry/events.ts';
import type { AnyService } from './call.ts';
import type { CallAdmission } from './call-admission.ts';
import { asEctError, isFault } from './errors.ts';
import { MAX_ANSWER_BYTES } from './message-limits.ts';
import type { OpenCall } from './open-call.ts';
import { NO_ROOM_FOR_ANSWER, NO_ROOM_FOR_REQUEST } from './overload.ts';
import { demandMethod } from './permission.ts';

export interface ProcedureOptions {
  readonly events: Events;
  /** The permissions of callers. Undefined: every authenticated caller may call all methods that are not for administrators. */
  readonly authorizer?: Authorizer | undefined;
  /** The rate and concurrency limits of callers. Undefined: none. */
  readonly callLimits?: CallLimits | undefined;
  /** Aborted when streams must end because the service stops. Unary calls may finish. */
  readonly endOfStreams: AbortSignal;
  /** Whether procedures run under the deadlines of their calls (call-deadline.ts), which code that waits for other machines reads. */
  readonly acceptsDeadlines?: boolean;
}

export function createProcedures(
  { events, authorizer, callLimits, endOfStreams, acceptsDeadlines = false }: ProcedureOptions,
  { unread, streams, onLimit }: Resources,
  { tooManyStreamsOf, chargeRejectedRequest }: CallAdmission,
) {
  /**
   * Runs the procedure of a started call; `read` returns the request, and `write` creates what is sent of the response. The call counts
   * as started until the response is written. Throws EctError only.
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
      // A long response is written in slices, and stops if the call ends.
      const answered = written instanceof Promise ? await call.untilOver(written) : written;
      call.finish();
      return answered;
    } catch (thrown) {
      if (thrown === NO_ROOM_FOR_REQUEST) chargeRejectedRequest(call);
      throw fail(call, thrown);
    }
  }

  /** After the request was read, and before any work for it. */
  function demandPermitted(service: AnyService, localName: string, request: unknown, call: OpenCall): void {
    if (call.access === 'public') return;
    call.policy = demandMethod(authorizer, service, localName, call.caller);
    const { items } = (request ?? {}) as { readonly items?: unknown };
    if (Array.isArray(items) && items.length > 1) callLimits?.charge(call.caller, items.length - 1);
  }

  function timed<T>(call: OpenCall, work: () => T): T {
    return acceptsDeadlines ? underDeadline(call.answerByMs, work) : work();
  }

  /** Before any work for the call: without memory for the response the caller would not learn the outcome. */
  function reserveAnswer(call: OpenCall, bytes: number): void {
    if (bytes > MAX_ANSWER_BYTES) throw answerTooLarge(bytes);
    if (call.reserve?.(bytes) !== false) return;
    onLimit('held_bytes');
    chargeRejectedRequest(call);
    throw NO_ROOM_FOR_ANSWER;
  }

  /** Runs a streaming procedure. It ends with the caller, its deadline, or the service: with SERVICE_DRAINING. */
  async function* stream(service: AnyService, localName: string, request: unknown, call: OpenCall) {
    const drain = () => call.stop(drainingError());
    endOfStreams.addEventListener('abort', drain, { once: true });
    let answers: AsyncIterator<unknown> | undefined;
    let release: (() => void) | undefined;
    try {
      unread.delete(call);
      call.stage = 'begun';
      if (call.stopped !== undefined) throw call.stopped;
      if (endOfStreams.aborted) throw drainingError();
      release = streams.take(call.socket);
      if (release === undefined) {
        onLimit('streams');
        throw tooManyStreamsOf(call.socket);
      }
      const proven = proofOf(call.caller)?.demandUnused?.();
      if (proven !== undefined) await call.untilOver(proven);
      if (call.access !== 'public') demandMethod(authorizer, service, localName, call.caller);
      const running = service.streams?.[localName]?.(request as never, call)[Symbol.asyncIterator]();
      if (running === undefined) throw new TypeError(`no procedure ${localName}`);
      answers = running;
      for (;;) {
        const asked = call.run(() => running.next());
        const next = await call.untilOver(asked, (late) => reportLate(call, late));
        if (next.done === true) break;
        yield next.value;
      }
      call.finish();
    } catch (thrown) {
      throw fail(call, thrown);
    } finally {
      endOfStreams.removeEventListener('abort', drain);
      release?.();
      call.abandon();
      // Not awaited, because a generator that hangs would delay the response.
      answers?.return?.()?.catch(() => undefined);
    }
  }

  /** Reports an error after the response, which is a bug unless the call was aborted. */
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

  return { perform, stream, fail };
}

function answerTooLarge(bytes: number): EctError {
  const message = `the answer could have ${bytes} bytes, more than ${MAX_ANSWER_BYTES}; nothing was done`;
  return new EctError(reject('MESSAGE_TOO_LARGE', message, { limit_bytes: String(MAX_ANSWER_BYTES) }));
}

function drainingError(): EctError {
  return new EctError(reject('SERVICE_DRAINING', 'this instance is shutting down'));
}
