// The connection of a worker to its supervisor.

import cluster from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { MetricsSnapshot } from '../telemetry/events.ts';
import {
  NUMBER_VARIABLE,
  REPLACEMENT_VARIABLE,
  SLOT_VARIABLE,
  SUCCESSOR_VARIABLE,
  type ToSupervisor,
  type ToWorker,
} from './messages.ts';

/** How long to wait for a supervisor that does not answer. */
const LEAVE_MS = 3_000;

export interface WorkerContext {
  /** The number of the worker, from 1. */
  readonly number: number;
  /** The slot of the worker, from 0. No other living worker has it, not even the one that this worker replaces. */
  readonly slot: number;
  /** Whether the worker replaces one that still serves. Then it must not start with fewer abilities than that one has. */
  readonly isSuccessor: boolean;
  /**
   * Whether the worker replaces a dead one. Other workers may serve, so at its start it waits for dependencies that are not yet
   * available.
   */
  readonly isReplacement: boolean;
  /** Returns the metrics of all workers, in the Prometheus text format. */
  metricsOfAll(): Promise<string>;
  /** Reports that this worker accepts calls at `url`. After that `snapshot` is called when the supervisor requests metrics. */
  listening(url: string, snapshot: () => Promise<MetricsSnapshot>): void;
  /** Sets the function that reloads the files when the operator requests it. */
  onReload(reload: () => void): void;
  /** Disconnects from the supervisor and sends the last metrics. Returns when the supervisor has confirmed. */
  leave(snapshot?: MetricsSnapshot): Promise<void>;
}

/** Returns the context of this process if a supervisor started it. */
export function openWorkerContext(): WorkerContext | undefined {
  const { worker } = cluster;
  if (worker === undefined) return undefined;
  const send = (message: ToSupervisor) => worker.send(message);
  let reading: PromiseWithResolvers<string> | undefined;
  let reload: (() => void) | undefined;
  let takeSnapshot: (() => Promise<MetricsSnapshot>) | undefined;

  // A process without a free file descriptor receives the message but not the connection. Node then passes it no further connection, and
  // reports this nowhere else.
  process.on('internalMessage' as 'message', (message: unknown, handle: unknown) => {
    if (isHandOver(message) && !handle) send({ kind: 'connection-lost' });
  });
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'metrics') {
      if (message.text === undefined) reading?.reject(new Error('the supervisor could not read the metrics'));
      else reading?.resolve(message.text);
      reading = undefined;
    } else if (message.kind === 'reload') {
      // Before `onReload` the worker is still starting and reads the files anyway.
      reload?.();
    } else {
      void takeSnapshot?.().then((snapshot) => send({ kind: 'snapshot', snapshot }));
    }
  });

  return {
    number: Number(process.env[NUMBER_VARIABLE]),
    slot: Number(process.env[SLOT_VARIABLE]),
    isSuccessor: process.env[SUCCESSOR_VARIABLE] === 'yes',
    isReplacement: process.env[REPLACEMENT_VARIABLE] === 'yes',
    metricsOfAll() {
      if (reading === undefined) {
        reading = Promise.withResolvers();
        send({ kind: 'read-metrics' });
      }
      return reading.promise;
    },
    listening(url, snapshot) {
      takeSnapshot = snapshot;
      send({ kind: 'listening', url });
    },
    onReload(handler) {
      reload = handler;
    },
    async leave(snapshot) {
      if (!worker.isConnected()) return;
      const gone = once(process, 'disconnect');
      if (snapshot !== undefined) send({ kind: 'snapshot', snapshot });
      worker.disconnect();
      await Promise.race([gone, pause(LEAVE_MS)]);
    },
  };
}

function isHandOver(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'cmd' in message && message.cmd === 'NODE_HANDLE';
}
