// One worker as the supervisor sees it: a child process that listens at some time, and ends at some time.

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
  /** Its number, from 1. The one that replaces it has the same. */
  readonly number: number;
  /** From 0. Free again when it has ended. */
  readonly slot: number;
  /** The address, once it accepts calls; undefined where it ended before that. */
  readonly listening: Promise<string | undefined>;
  readonly ended: Promise<Ending>;
  /** Settles when a connection did not reach it: from then on it gets no other one. */
  readonly lostConnection: Promise<void>;
  snapshot(): Promise<MetricsSnapshot>;
  /** Asks it to look at the files of the configuration. */
  reload(): void;
  /** Ends it without waiting for anything (SIGKILL). */
  kill(): void;
  /** Asks it to end (SIGTERM). Where it has not after `killMs`, it is killed. */
  stop(killMs: number): void;
}

/** How a process ended: with an exit code, or by a signal. */
export interface Ending {
  readonly how: number | string;
  /** For how long it accepted calls; 0 where it never did, however long its start took. */
  readonly livedMs: number;
}

/** Which worker to start. */
export interface WorkerOrder {
  readonly number: number;
  readonly slot: number;
  /** `successor`: the one before it serves until this one does. `replacement`: the one before it has died, the others may serve. */
  readonly role: WorkerRole;
}

export type WorkerRole = 'first' | 'successor' | 'replacement';

const ROLE_VARIABLES: Readonly<Record<WorkerRole, Readonly<Record<string, string>>>> = {
  first: {},
  successor: { [SUCCESSOR_VARIABLE]: 'yes' },
  replacement: { [REPLACEMENT_VARIABLE]: 'yes' },
};

/** Starts a worker. It runs this very program with the same arguments and environment. */
export function startWorker({ number, slot, role }: WorkerOrder, metrics: SharedMetrics): WorkerProcess {
  let bornMs: number | undefined;
  const worker = cluster.fork({
    [NUMBER_VARIABLE]: String(number),
    [SLOT_VARIABLE]: String(slot),
    ...ROLE_VARIABLES[role],
  });
  // A worker may end at any moment; what is sent too late is lost with it.
  const tell = (message: ToWorker) => worker.send(message, () => {});
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
        (text) => tell({ kind: 'metrics', text }),
        () => tell({ kind: 'metrics', text: undefined }),
      );
    } else if (message.kind === 'connection-lost') {
      setLost();
    } else {
      metrics.note(self, message.snapshot);
      for (const resolve of waiting.splice(0)) resolve(message.snapshot);
    }
  });
  worker.on('error', () => {}); // It could not be started or reached: its end follows.

  const self: WorkerProcess = {
    number,
    slot,
    listening,
    ended,
    lostConnection,
    snapshot: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        tell({ kind: 'take-snapshot' });
      }),
    reload: () => tell({ kind: 'reload' }),
    kill: () => void worker.process.kill('SIGKILL'),
    stop(killMs) {
      worker.process.kill('SIGTERM');
      const timer = setTimeout(() => worker.process.kill('SIGKILL'), killMs);
      void ended.then(() => clearTimeout(timer));
    },
  };
  return self;
}
