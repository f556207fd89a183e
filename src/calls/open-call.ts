// One call from its headers to its end: its deadline, its signal and its event.

import type { Socket } from 'node:net';
import { type Caller, callerName, proofOf } from '../authority/index.ts';
import type { Presented } from '../callers/authenticate.ts';
import { OwnContext } from '../concurrency/own-context.ts';
import { EctError, type ErrorReason, reject } from '../errors.ts';
import type { Account, Load, UnreadCall } from '../limits/index.ts';
import type { Events } from '../telemetry/events.ts';
import type { Access, Call } from './call.ts';
import { codeName, codeOf } from './errors.ts';
import { TOO_MANY_ARRIVING } from './overload.ts';
import { NO_PENALTY, type Penalty } from './penalty.ts';

export type Protocol = 'grpc' | 'grpc-web' | 'connect';

/** A request after its headers were read. */
export interface Arrival {
  /** `ect.v1.AuthorityService/Issue`, or `unknown`. */
  readonly method: string;
  readonly protocol: Protocol;
  readonly socket: Socket;
}

/** The same with the credentials of the request, before the caller is authenticated. */
export interface PresentedCall extends Arrival, Presented {}

/** The stage of a call: its request arrives, it waits to start, its procedure has started. */
export type Stage = 'unread' | 'waiting' | 'begun';

/** The time reserved for sending an error, in milliseconds, for a slow network or a busy machine; a tenth of a short deadline. */
const MAX_ERROR_RESPONSE_MS = 500;

/** An open call. Its event is written exactly once, when it ends for the first time. */
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
  /** The CPU cost, relative to a small call. */
  weight = 1;
  /** The size of the request as it arrived. */
  requestBytes = 0;
  /** The size of its message when it is decompressed; 0: not known yet. */
  messageBytes = 0;
  /** Reserves memory for a response; set by the transport. Returns whether there is room. */
  reserve: ((bytes: number) => boolean) | undefined;
  /** The penalty for the connection of a rejected call. */
  penalty: Penalty = NO_PENALTY;
  /** Called when it ends, if its caller has a concurrency limit. */
  leave: (() => void) | undefined;
  /** Whether admission counts the call as open. */
  isCounted = false;
  /** The async context in which the call arrived. */
  readonly #context = new OwnContext();
  readonly #events: Events;
  readonly #onFinish: ((call: OpenCall) => void) | undefined;
  readonly #arrivedAt = performance.now();
  #stopped: EctError | undefined;
  /** Created on the first use of the signal: most procedures never use it. */
  #controller: AbortController | undefined;
  /** Called when the call is stopped. */
  readonly #onStop = new Set<(error: EctError) => void>();
  #timer: NodeJS.Timeout | undefined;
  #limitMs = Number.POSITIVE_INFINITY;
  #noted: ErrorReason | undefined;
  #finished = false;

  /** `onFinish` is called once, when the call has ended. */
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

  /** Why the call was stopped; undefined if it was not. */
  get stopped(): EctError | undefined {
    return this.#stopped;
  }

  /** What it is expected to compute and to hold. */
  get load(): Load {
    return { weight: this.weight, bytes: this.messageBytes };
  }

  get isFinished(): boolean {
    return this.#finished;
  }

  /** The time until the deadline, in milliseconds. */
  get remainingMs(): number {
    return this.#limitMs - (performance.now() - this.#arrivedAt);
  }

  /**
   * The time by which the dependencies of the call must have responded, in milliseconds of `performance.now()`: early enough that the
   * caller still gets an error if they have not.
   */
  get answerByMs(): number {
    return this.#arrivedAt + this.#limitMs - Math.min(this.#limitMs / 10, MAX_ERROR_RESPONSE_MS);
  }

  /**
   * Runs work of this call in the async context in which the call arrived (`AsyncLocalStorage`). Code that starts the work of many calls,
   * such as a queue, runs in another context.
   */
  run<T>(work: () => T): T {
    return this.#context.runInAsyncScope(work);
  }

  note(reason: ErrorReason): void {
    this.#noted = reason;
  }

  /** Starts the deadline: when it passes, the call ends with DEADLINE_EXCEEDED even if its procedure does not return. */
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

  /** Stops waiting for the procedure, with this error. */
  stop(error: EctError): void {
    if (this.#finished || this.#stopped !== undefined) return;
    this.#stopped = error;
    this.run(() => this.#reportStopped(error));
  }

  #reportStopped(error: EctError): void {
    this.#controller?.abort(error);
    for (const listener of this.#onStop) listener(error);
    this.#onStop.clear();
  }

  /** Calls `listener` when the call is stopped before it has finished; at once if it was stopped already. */
  onStop(listener: (error: EctError) => void): void {
    if (this.#stopped !== undefined) listener(this.#stopped);
    else this.#onStop.add(listener);
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

  /** The caller has disconnected: it would not read a response. */
  abandon(): void {
    if (this.#finished) return;
    const error = new EctError(reject('CALL_CANCELLED', 'the caller has cancelled the call'));
    this.stop(error);
    this.finish(error);
  }

  /** Writes the event of the call, once. */
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
