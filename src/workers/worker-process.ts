// One worker as its supervisor sees it: a child process.

import cluster from 'node:cluster';
import type { MetricsSnapshot } from '../telemetry/events.ts';
import {
  NUMBER_VARIABLE,
  REPLACEMENT_VARIABLE,
  SLOT_VARIABLE,
  SUCCESSOR_VARIABLE,
  type ToSupervisor,
  type ToWorker,
} from './messages.ts';
import type { SharedMetrics } from './metrics.ts';

export interface WorkerProcess {
  /** The number of the worker, from 1. A replacement has the same number. */
  readonly number: number;
  /** The slot of the worker, from 0. It is free again after the worker has exited. */
  readonly slot: number;
  /** The URL, once the worker accepts calls; undefined if it exited before. */
  readonly listening: Promise<string | undefined>;
  readonly ended: Promise<Ending>;
  /** Resolves when a connection did not reach the worker. After that the worker gets no further connection. */
  readonly lostConnection: Promise<void>;
  snapshot(): Promise<MetricsSnapshot>;
  /** Asks the worker to reload the files of the configuration. */
  reload(): void;
  /** Kills the worker at once (SIGKILL). */
  kill(): void;
  /** Asks the worker to exit (SIGTERM), and kills it after `killMs` if it has not. */
  stop(killMs: number): void;
}

/** How a process exited: with an exit code, or by a signal. */
export interface Ending {
  readonly how: number | string;
  /** How long it accepted calls, in milliseconds; 0 if it never did, however long its start took. */
  readonly livedMs: number;
}

/** Which worker to start. */
export interface WorkerOrder {
  readonly number: number;
  readonly slot: number;
  /** `successor`: it replaces a worker that still serves. `replacement`: it replaces a dead one, while others may serve. */
  readonly role: WorkerRole;
}

export type WorkerRole = 'first' | 'successor' | 'replacement';

const ROLE_VARIABLES: Readonly<Record<WorkerRole, Readonly<Record<string, string>>>> = {
  first: {},
  successor: { [SUCCESSOR_VARIABLE]: 'yes' },
  replacement: { [REPLACEMENT_VARIABLE]: 'yes' },
};

/** Starts a worker: this program with the same arguments and environment. */
export function startWorker({ number, slot, role }: WorkerOrder, metrics: SharedMetrics): WorkerProcess {
  let bornMs: number | undefined;
  const worker = cluster.fork({
    [NUMBER_VARIABLE]: String(number),
    [SLOT_VARIABLE]: String(slot),
    ...ROLE_VARIABLES[role],
  });
  // A worker may exit at any time. Messages that are sent after that are lost.
  const send = (message: ToWorker) => worker.send(message, () => {});
  const waiting: ((snapshot: MetricsSnapshot) => void)[] = [];
  const { promise: listening, resolve: setListening } = Promise.withResolvers<string | undefined>();

  const { promise: lostConnection, resolve: setLost } = Promise.withResolvers<void>();
  const { promise: ended, resolve: setEnded } = Promise.withResolvers<Ending>();

  worker.once('exit', (code: number | null, signal: string | null) => {
    setEnded({ how: signal ?? code ?? 'unknown', livedMs: bornMs === undefined ? 0 : performance.now() - bornMs });
    setListening(undefined);
    metrics.remove(self);
    for (const resolve of waiting.splice(0)) resolve([]);
  });

  worker.on('message', (message: ToSupervisor) => {
    if (message.kind === 'listening') {
      bornMs = performance.now();
      metrics.add(self);
      setListening(message.url);
    } else if (message.kind === 'read-metrics') {
      metrics.read().then(
        (text) => send({ kind: 'metrics', text }),
        () => send({ kind: 'metrics', text: undefined }),
      );
    } else if (message.kind === 'connection-lost') {
      setLost();
    } else {
      metrics.note(self, message.snapshot);
      for (const resolve of waiting.splice(0)) resolve(message.snapshot);
    }
  });
  worker.on('error', () => {}); // The worker could not be started or reached; its exit is reported next.

  const self: WorkerProcess = {
    number,
    slot,
    listening,
    ended,
    lostConnection,
    snapshot: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        send({ kind: 'take-snapshot' });
      }),
    reload: () => send({ kind: 'reload' }),
    kill: () => void worker.process.kill('SIGKILL'),
    stop(killMs) {
      worker.process.kill('SIGTERM');
      const timer = setTimeout(() => worker.process.kill('SIGKILL'), killMs);
      void ended.then(() => clearTimeout(timer));
    },
  };
  return self;
}
