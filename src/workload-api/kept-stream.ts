// One stream of the agent that is opened again whenever it ends, with growing pauses (SPIFFE Workload API, section 4.2).

import { setTimeout as pause } from 'node:timers/promises';
import { WorkloadApiFault } from './fault.ts';

export interface StreamTimes {
  /** Before the second try. Each further pause is twice as long, up to the longest; of each a random half may be left out. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** The first message has to come within this time: an agent answers at once. */
  readonly firstMessageMs: number;
  /** Between two messages, which are read no faster: to judge one takes a while, and an agent may send them without an end. */
  readonly betweenMs: number;
}

export const STREAM_TIMES: StreamTimes = {
  firstPauseMs: 200,
  longestPauseMs: 15_000,
  firstMessageMs: 10_000,
  betweenMs: 500,
};

export type StreamName = 'x509' | 'jwt';

/** Called for the state of a stream. */
export interface StreamEvents {
  /** It brings messages again. */
  workloadApiUp(stream: StreamName): void;
  /** It ended, or cannot be opened. `isNews`: it differs from the last report. */
  workloadApiDown(stream: StreamName, why: string, isNews: boolean): void;
}

export interface StreamPorts<Message> {
  readonly open: (signal: AbortSignal) => AsyncIterable<Message>;
  /** A message came. What it throws ends the stream. */
  readonly onMessage: (message: Message) => void;
  /** The stream ended, or could not be opened. It is opened again. */
  readonly onDown: (error: unknown) => void;
  readonly times: StreamTimes;
}

export class KeptStream<Message> {
  readonly #ports: StreamPorts<Message>;
  readonly #stopped = new AbortController();
  #attempt = new AbortController();
  #running: Promise<void> | undefined;

  constructor(ports: StreamPorts<Message>) {
    this.#ports = ports;
  }

  /** Opens the stream, once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Opens the stream anew: nothing has come for too long. */
  renew(): void {
    this.#attempt.abort(new WorkloadApiFault('the agent has been silent for too long'));
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#attempt.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { times } = this.#ports;
    const { signal } = this.#stopped;
    for (let failures = 0; !signal.aborted; failures++) {
      const begunMs = performance.now();
      await this.#read();
      // One that lived is no failure; one that ends again and again is, whatever it sent.
      if (performance.now() - begunMs > times.longestPauseMs) failures = 0;
      const pauseMs = Math.min(times.firstPauseMs * 2 ** Math.min(failures, 20), times.longestPauseMs);
      await pause(pauseMs * (0.5 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => {}); // It was stopped.
    }
  }

  async #read(): Promise<void> {
    const { open, onMessage, onDown, times } = this.#ports;
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    const onSilence = () => this.#attempt.abort(new WorkloadApiFault('the agent accepted the call and did not answer'));
    const timer = setTimeout(onSilence, times.firstMessageMs);
    let error: unknown = new WorkloadApiFault('the agent ended the stream');
    try {
      for await (const message of open(signal)) {
        clearTimeout(timer);
        onMessage(message);
        await pause(times.betweenMs, undefined, { signal, ref: false });
      }
    } catch (cause) {
      error = signal.reason instanceof WorkloadApiFault ? signal.reason : cause;
    } finally {
      clearTimeout(timer);
    }
    if (!this.#stopped.signal.aborted) onDown(error);
  }
}
