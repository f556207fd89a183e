// Keeps a stream of the agent open: reopens it whenever it ends, after growing pauses (SPIFFE Workload API, section 4.2).

import { setTimeout as pause } from 'node:timers/promises';
import { WorkloadApiFault } from './fault.ts';

export interface StreamTimes {
  /**
   * The pause before the second attempt. Each further pause is twice as long, up to the longest; a random part of up to one half is
   * subtracted.
   */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** The time limit for the first message. */
  readonly firstMessageMs: number;
  /** The minimum time between the processing of two messages, because each takes time and an agent may send them without end. */
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
  /** The stream receives messages again. */
  workloadApiUp(stream: StreamName): void;
  /** The stream ended or cannot be opened. `isNews`: the failure differs from the last report. */
  workloadApiDown(stream: StreamName, why: string, isNews: boolean): void;
}

export interface StreamPorts<Message> {
  readonly open: (signal: AbortSignal) => AsyncIterable<Message>;
  /** Called for each message. An exception ends the stream. */
  readonly onMessage: (message: Message) => void;
  /** Called when the stream ended or could not be opened. It will be reopened. */
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

  /** Opens the stream. Call it once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Reopens the stream, because nothing was received for too long. */
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
      // The end of a long-lived stream is not a failure; short-lived streams are, whatever they delivered.
      if (performance.now() - begunMs > times.longestPauseMs) failures = 0;
      const pauseMs = Math.min(times.firstPauseMs * 2 ** Math.min(failures, 20), times.longestPauseMs);
      await pause(pauseMs * (0.5 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => {}); // It rejects when stopped.
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
