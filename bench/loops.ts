// The two ways of loading a server. A closed loop finds out how fast it is; an open loop how it behaves at a given rate.

import type { GrpcConnection } from './grpc-connection.ts';
import type { ClosedOrder, ClosedResult, OpenOrder, OpenResult, Sample } from './load-order.ts';
import { percentile } from './statistics.ts';

/** How often an open loop looks at its clock, in milliseconds. */
const TICK_MS = 1;
/** How long the last answers may take after an open loop has ended. */
const LINGER_MS = 5_000;

type Load<Result> = Omit<Result, 'seconds' | 'cpuSeconds' | 'rssBytes' | 'generatorBusy'>;

/** Keeps `streams` calls open on every connection until `calls` are answered. */
export function closedLoop(
  connections: readonly GrpcConnection[],
  bodies: readonly Buffer[],
  { calls, streams }: ClosedOrder,
): Promise<Load<ClosedResult>> {
  const latencies = new Float64Array(calls);
  const statuses: Record<string, number> = {};
  let begun = 0;
  let answered = 0;
  const { promise, resolve } = Promise.withResolvers<Load<ClosedResult>>();

  function next(connection: GrpcConnection): void {
    if (begun === calls) return;
    const sentAt = performance.now();
    connection.call(bodies[begun++ % bodies.length]!, (status) => {
      latencies[answered++] = performance.now() - sentAt;
      statuses[status] = (statuses[status] ?? 0) + 1;
      next(connection);
      if (answered === calls) {
        resolve({ calls, statuses, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) });
      }
    });
  }

  for (const connection of connections) {
    for (let stream = 0; stream < Math.min(streams, connection.maxStreams); stream++) next(connection);
    connection.flush();
  }
  return promise;
}

/**
 * Makes calls when they are due, phase after phase. Where every stream is taken a call waits for one, as in a real client,
 * until its deadline. Latency counts from the moment when a call was due, so a server that stalls cannot hide it.
 */
export async function openLoop(
  connections: readonly GrpcConnection[],
  bodies: readonly Buffer[],
  { phases, deadlineMs }: OpenOrder,
): Promise<Load<OpenResult>> {
  const due = dueTimes(phases);
  const samples: Sample[] = due.map((dueMs) => ({
    dueMs,
    latencyMs: undefined,
    sinceSentMs: undefined,
    status: undefined,
  }));
  const startedAt = performance.now();
  let next = 0;
  let open = 0;
  let turn = 0;

  function send(call: number, connection: GrpcConnection): void {
    const sentMs = performance.now() - startedAt;
    open++;
    const dueMs = due[call]!;
    const onAnswer = (status: number) => {
      const nowMs = performance.now() - startedAt;
      samples[call] = { dueMs, latencyMs: nowMs - dueMs, sinceSentMs: nowMs - sentMs, status };
      open--;
    };
    // What is left of the deadline: the caller has been waiting since the call was due.
    connection.call(bodies[call % bodies.length]!, onAnswer, dueMs + deadlineMs - sentMs);
  }

  /** The next connection in turn that has room for a call. */
  function free(): GrpcConnection | undefined {
    for (let tried = 0; tried < connections.length; tried++) {
      const connection = connections[turn++ % connections.length]!;
      if (connection.open < connection.maxStreams) return connection;
    }
    return undefined;
  }

  while (next < due.length) {
    const nowMs = performance.now() - startedAt;
    while (next < due.length && due[next]! <= nowMs) {
      // A caller whose deadline has passed while it waited is gone.
      if (nowMs - due[next]! < deadlineMs) {
        const connection = free();
        if (connection === undefined) break;
        send(next, connection);
      }
      next++;
    }
    for (const connection of connections) connection.flush();
    await pause(TICK_MS);
  }
  for (let waited = 0; open > 0 && waited < LINGER_MS; waited += TICK_MS) await pause(TICK_MS);
  return { samples };
}

/** When each call is due, in milliseconds from the start. */
export function dueTimes(phases: OpenOrder['phases']): number[] {
  const times: number[] = [];
  let start = 0;
  for (const { perSecond, seconds } of phases) {
    const count = Math.floor(perSecond * seconds);
    for (let call = 0; call < count; call++) times.push(start + (call * 1000) / perSecond);
    start += seconds * 1000;
  }
  return times;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
