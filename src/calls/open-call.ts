// One call from its headers to its end: its clock, its signal and its one event.

import type { Socket } from 'node:net';
import { type Caller, callerName, proofOf } from '../authority/index.ts';
import type { Presented } from '../callers/authenticate.ts';
import { OwnContext } from '../concurrency/own-context.ts';
import { EctError, type ErrorReason, reject } from '../errors.ts';
import type { Account, UnreadCall } from '../limits/index.ts';
import type { Events } from '../telemetry/events.ts';
import type { Access, Call } from './call.ts';
import { codeName, codeOf } from './errors.ts';
import { TOO_MANY_ARRIVING } from './overload.ts';
import type { Penalty } from './penalty.ts';

export type Protocol = 'grpc' | 'grpc-web' | 'connect';

/** What a transport knows of a call when it has read the headers. */
export interface Arrival {
  /** `ect.v1.AuthorityService/Issue`, or `unknown`. */
  readonly method: string;
  readonly protocol: Protocol;
  readonly socket: Socket;
}

/** The same with the credentials of the request, before the caller has been identified. */
export interface PresentedCall extends Arrival, Presented {}

/** How far a call has come: its request arrives, it waits for its turn, its procedure has begun. */
export type Stage = 'unread' | 'waiting' | 'begun';

/** The time to tell a caller of a failure, in milliseconds: for a network that is slow, or a machine that is busy. A tenth of a short deadline. */
const MAX_TELLING_MS = 500;

/** An open call. Its event is written exactly once, when it ends for the first reason. */
export class OpenCall implements Call, UnreadCall {
  readonly method: string;
  readonly protocol: Protocol;
  readonly socket: Socket;
  readonly account: Account;
  caller: Caller = { kind: 'anonymous' };
  policy: string | undefined;
  stage: Stage = 'unread';
  /** Who may make it. */
  access: Access = 'callers';
  /** What it computes, relative to a small call. */
  weight = 1;
  /** Of the request as it was read. */
  requestBytes = 0;
  /** Reserves room for a response of so many bytes; set by the transport. Returns whether there is any. */
  reserve: ((bytes: number) => boolean) | undefined;
  /** What its connection has to bear, where the call was rejected by its headers. */
  penalty: Penalty = 'none';
  /** Called when it ends, where its caller may make so many at once. */
  leave: (() => void) | undefined;
  /** Whether it counts as load from the moment when it was read until it ends. */
  isCounted = false;
  /** The async context in which the call came. */
  readonly #context = new OwnContext();
  readonly #events: Events;
  readonly #onFinish: ((call: OpenCall) => void) | undefined;
  readonly #arrivedAt = performance.now();
  #stopped: EctError | undefined;
  /** Made when somebody asks for the signal: most procedures never do. */
  #controller: AbortController | undefined;
  /** Listeners for the stop of the call. */
  readonly #onStop = new Set<(error: EctError) => void>();
  #timer: NodeJS.Timeout | undefined;
  #limitMs = Number.POSITIVE_INFINITY;
  #noted: ErrorReason | undefined;
  #finished = false;

  /** `onFinish` learns, once, that the call has ended. */
  constructor(arrival: Arrival, account: Account, events: Events, onFinish?: (call: OpenCall) => void) {
    this.#onFinish = onFinish;
    this.method = arrival.method;
    this.protocol = arrival.protocol;
    this.socket = arrival.socket;
    this.account = account;
    this.#events = events;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#stopped !== undefined) this.#controller.abort(this.#stopped);
    }
    return this.#controller.signal;
  }

  /** Why the call was stopped, if it was. */
  get stopped(): EctError | undefined {
    return this.#stopped;
  }

  get isFinished(): boolean {
    return this.#finished;
  }

  /** What its caller still waits, in milliseconds. */
  get remainingMs(): number {
    return this.#limitMs - (performance.now() - this.#arrivedAt);
  }

  /**
   * The time by which the dependencies of the call must have responded, in milliseconds of `performance.now()`: early enough that the
   * caller can still get an error if they have not.
   */
  get answerByMs(): number {
    return this.#arrivedAt + this.#limitMs - Math.min(this.#limitMs / 10, MAX_TELLING_MS);
  }

  /**
   * Runs work of this call in the async context in which the call came (`AsyncLocalStorage`). Whatever begins the work of many calls,
   * such as the queue of those that wait, is itself in the context of none of them.
   */
  run<T>(work: () => T): T {
    return this.#context.runInAsyncScope(work);
  }

  note(reason: ErrorReason): void {
    this.#noted = reason;
  }

  /** Starts the clock: when it runs out, the call ends with DEADLINE_EXCEEDED even if its procedure is stuck. */
  limit(milliseconds: number): void {
    this.#limitMs = milliseconds;
    const expire = () => this.stop(new EctError(reject('DEADLINE_EXCEEDED', 'the deadline of the call has passed')));
    if (milliseconds <= 0) expire();
    else this.#timer = setTimeout(expire, Math.ceil(milliseconds));
  }

  giveUp(why: 'late' | 'evicted'): void {
    const late = () => new EctError(reject('DEADLINE_EXCEEDED', 'the request took too long to arrive'));
    this.stop(why === 'late' ? late() : TOO_MANY_ARRIVING);
  }

  /** Ends the waiting for the procedure with this error. */
  stop(error: EctError): void {
    if (this.#finished || this.#stopped !== undefined) return;
    this.#stopped = error;
    this.run(() => this.#reportStopped(error));
  }

  #reportStopped(error: EctError): void {
    this.#controller?.abort(error);
    for (const tell of this.#onStop) tell(error);
    this.#onStop.clear();
  }

  /** Calls `tell` when the call is stopped before it is finished; now, if it was already. */
  onStop(tell: (error: EctError) => void): void {
    if (this.#stopped !== undefined) tell(this.#stopped);
    else this.#onStop.add(tell);
  }

  /** Waits for `work`, at most until the call ends; `onLate` is called if `work` fails after that. */
  untilOver<T>(work: Promise<T>, onLate?: (thrown: unknown) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.onStop(reject);
      work.then(
        (value) => {
          this.#onStop.delete(reject);
          resolve(value);
        },
        (thrown: unknown) => {
          this.#onStop.delete(reject);
          if (this.#stopped !== undefined) onLate?.(thrown);
          reject(thrown);
        },
      );
    });
  }

  /** The caller has gone: a response would not be read. */
  abandon(): void {
    if (this.#finished) return;
    const error = new EctError(reject('CALL_CANCELLED', 'the caller has cancelled the call'));
    this.stop(error);
    this.finish(error);
  }

  /** Writes the call's event, the first time. */
  finish(error?: EctError): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#timer);
    this.#onFinish?.(this);
    this.run(() => this.#writeEvent(error));
  }

  #writeEvent(error: EctError | undefined): void {
    this.#events.callFinished({
      method: this.method,
      protocol: this.protocol,
      caller: callerName(this.caller),
      proof: proofOf(this.caller),
      code: error === undefined ? 'OK' : codeName(codeOf(error.reason)),
      reason: error?.reason ?? this.#noted,
      durationMs: performance.now() - this.#arrivedAt,
    });
  }
}
