// How the processes of a service with several workers end, and how SIGUSR2 replaces them.

import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { status as codes } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';
import {
  AUDIENCE,
  AUTHORITY,
  dialAll,
  haveEnded,
  ISSUED,
  KEY_ENTRIES,
  TWO,
  until,
  untilMetric,
  workersOf,
} from './worker-processes.ts';

describe('the end', () => {
  test('L17 SIGTERM under load: all workers drain, it exits with 0, and leaves no process', async () => {
    await using service = await startService(TWO);
    const pids = await workersOf(service);
    using channels = dialAll(service, 6);
    let answered = 0;
    let stopped: Promise<number | string> | undefined;
    const refusals: CallError[] = [];
    const caller = async (client: GrpcClient) => {
      for (;;) {
        try {
          await client.call(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [AUDIENCE], level: 'LEVEL_L3' });
          answered += 1;
          if (answered === 200) stopped = service.stop();
        } catch (error) {
          if (!(error instanceof CallError)) throw error;
          refusals.push(error);
          return;
        }
      }
    };
    await Promise.all(channels.clients.flatMap((client) => Array.from({ length: 8 }, () => caller(client))));
    expect(await stopped).toBe(0);
    expect(new Set(refusals.map(({ code }) => codes[code]))).toEqual(new Set(['UNAVAILABLE']));
    expect(service.events('call').filter(({ code }) => code === 'OK')).toHaveLength(answered);
    for (const name of ['draining', 'stopped']) {
      const workers = service.events(name).map(({ worker }) => Number(worker));
      expect(new Set(workers), name).toEqual(new Set([1, 2]));
      expect(workers, name).toHaveLength(2);
    }
    for (const event of service.events('stopped')) expect(event).toMatchObject({ cut: 0 });
    expect(service.events('worker-ended')).toEqual([]);
    expect(await haveEnded(pids)).toBe(true);
    // Every line is whole, though three processes wrote them into one pipe.
    for (const line of service.stderr().trimEnd().split('\n')) expect(JSON.parse(line), line).toHaveProperty('event');
  });

  test('a signal to the whole group, as a terminal sends it, is one signal', async () => {
    await using service = await startService(TWO);
    const workers = await workersOf(service);
    for (const worker of workers) process.kill(worker, 'SIGINT');
    expect(await service.stop()).toBe(0);
    expect(await haveEnded(workers)).toBe(true);
    expect(service.events('stopped').length).toBeGreaterThanOrEqual(2);
  });

  test('L1 a supervisor that is killed takes its workers along, and the service starts again on its data', async () => {
    await using service = await startService(TWO);
    const workers = await workersOf(service);
    const issue = { exec_act: 'review', aud: [AUDIENCE], level: 'LEVEL_L3' };
    {
      using channels = dialAll(service, 2);
      await Promise.all(channels.clients.map((client) => client.call(`${AUTHORITY}/Issue`, issue)));
    }
    await service.kill();
    await until('the workers end', () => haveEnded(workers));
    await service.restart();
    using client = dial(service.address);
    expect(await client.call(`${AUTHORITY}/Issue`, issue)).toMatchObject({
      receipt: { inclusion: { leaf_index: String(KEY_ENTRIES + 2) } },
    });
    expect(await service.stop()).toBe(0);
  });
});

test('SIGUSR2 replaces the workers one after another; no connection is refused and no call is lost', async () => {
  await using service = await startService(TWO);
  const workers = await workersOf(service);
  const { hostname, port } = new URL(service.url);
  let isOver = false;
  let answered = 0;
  const caller = async () => {
    using client = dial(service.address);
    while (!isOver) {
      await client.call(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [AUDIENCE] });
      answered += 1;
    }
  };
  const connecting = async () => {
    for (; !isOver; await pause(1)) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect({ host: hostname, port: Number(port) });
        socket.once('connect', () => resolve(void socket.destroy()));
        socket.once('error', reject);
      });
    }
  };
  const load = Promise.all([...Array.from({ length: 4 }, caller), connecting()]);
  process.kill(service.pid, 'SIGUSR2');
  await Promise.race([load, until('the old workers end', () => haveEnded(workers))]);
  const before = answered;
  await Promise.race([load, until('the new workers answer', () => answered > before + 100)]);
  isOver = true;
  await load;
  expect(await workersOf(service)).toHaveLength(2);
  await untilMetric(service, 'ect_calls_total', ISSUED, answered);
  expect(await service.stop()).toBe(0);
  expect(service.events('stopped').map(({ worker, cut }) => [worker, cut])).toEqual([
    [1, 0],
    [2, 0],
    expect.anything(),
    expect.anything(),
  ]);
  expect(service.events('worker-ended')).toEqual([]);
});
