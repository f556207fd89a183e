// A worker's own end of the line to its supervisor.

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

/** For how long a supervisor that does not answer is waited for. */
const LEAVE_MS = 3_000;

export interface WorkerContext {
  /** From 1. */
  readonly number: number;
  /** From 0. No worker that lives has the same, one that it replaces neither. */
  readonly slot: number;
  /** Whether another serves until this one does: so it must be able to do all that the other can. */
  readonly isSuccessor: boolean;
  /** Whether it takes the place of a dead one: the others may serve, so it waits for what they have and it cannot get yet. */
  readonly isReplacement: boolean;
  /** The metrics of all workers, in the Prometheus text format. */
  metricsOfAll(): Promise<string>;
  /** Reports that calls are accepted at `url`; from then on `snapshot` is called when the supervisor requests metrics. */
  listening(url: string, snapshot: () => Promise<MetricsSnapshot>): void;
  /** Sets the function that reloads the files at the request of the operator. */
  onReload(reload: () => void): void;
  /** Leaves the supervisor, with the last metrics; returns when the supervisor has confirmed. */
  leave(snapshot?: MetricsSnapshot): Promise<void>;
}

/** The context of this process, if a supervisor started it. */
export function openWorkerContext(): WorkerContext | undefined {
  const { worker } = cluster;
  if (worker === undefined) return undefined;
  const tell = (message: ToSupervisor) => worker.send(message);
  let reading: PromiseWithResolvers<string> | undefined;
  let reload: (() => void) | undefined;
  let takeSnapshot: (() => Promise<MetricsSnapshot>) | undefined;

  // A process without a free descriptor gets the message and not the connection. Node then never hands it another one, and says
  // so nowhere but here.
  process.on('internalMessage' as 'message', (message: unknown, handle: unknown) => {
    if (isHandOver(message) && !handle) tell({ kind: 'connection-lost' });
  });
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'metrics') {
      if (message.text === undefined) reading?.reject(new Error('the supervisor could not read the metrics'));
      else reading?.resolve(message.text);
      reading = undefined;
    } else if (message.kind === 'reload') {
      // A worker that starts reads the files anyway.
      reload?.();
    } else {
      void takeSnapshot?.().then((snapshot) => tell({ kind: 'snapshot', snapshot }));
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
        tell({ kind: 'read-metrics' });
      }
      return reading.promise;
    },
    listening(url, snapshot) {
      takeSnapshot = snapshot;
      tell({ kind: 'listening', url });
    },
    onReload(handler) {
      reload = handler;
    },
    async leave(snapshot) {
      if (!worker.isConnected()) return;
      const gone = once(process, 'disconnect');
      if (snapshot !== undefined) tell({ kind: 'snapshot', snapshot });
      worker.disconnect();
      await Promise.race([gone, pause(LEAVE_MS)]);
    },
  };
}

function isHandOver(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'cmd' in message && message.cmd === 'NODE_HANDLE';
}
