// The process when file descriptors run out: a neighbour opens connections without end, or something in it leaks.

import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Issued, Recorded } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { FULL, rounds } from '../support/full.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const LIMIT = 128;
const NEIGHBOURS = 400;

/** Descriptors are counted, and limits of other processes set, by what Linux has for it. */
const isLinux = process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0;

async function record(client: GrpcClient): Promise<void> {
  const order = { exec_act: 'review', aud: ['urn:example:b'] };
  const { token } = await client.call<Issued>(`${AUTHORITY}/Issue`, order);
  const recorded = await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
  expect(recorded).toMatchObject({ duplicate: false });
}

/** 0 where it is not answered in time. */
async function readyz({ url }: ServiceProcess): Promise<number> {
  const options = { headers: { connection: 'close' }, signal: AbortSignal.timeout(5_000) };
  return fetch(`${url}/readyz`, options).then(
    ({ status }) => status,
    () => 0,
  );
}

/** Connections of other addresses that say nothing, fifty at a time. They end with the test at the latest. */
async function neighbour({ address }: ServiceProcess): Promise<readonly Socket[]> {
  const port = Number(address.split(':')[1]);
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  while (sockets.length < NEIGHBOURS) {
    const wave = Array.from({ length: 50 }, (_, at) =>
      connect({ port, host: '127.0.0.1', localAddress: `127.0.0.${2 + at}` }),
    );
    sockets.push(...wave);
    await Promise.all(wave.map(settled));
    // The supervisor hands them on meanwhile: what comes at once above its own limit the system closes.
    await pause(50);
  }
  return sockets;
}

function settled(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => resolve()).once('connect', () => resolve());
  });
}

async function metric({ url }: ServiceProcess, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers: { connection: 'close' } })).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

const openIn = async (pid: number) => (await readdir(`/proc/${pid}/fd`)).length;

async function workersOf(pid: number): Promise<readonly number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

function setLimit(pid: number, soft: number | string): void {
  expect(spawnSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:`]).status).toBe(0);
}

describe.runIf(isLinux)('descriptors', () => {
  test('H9 with too few for the program itself it says so, and shows no stack of ours', async () => {
    const said: string[] = [];
    // With the fewest of these Node itself does not come to our code.
    for (let limit = 16; limit < 32; limit++) {
      const { code, stderr } = await runMain(['config', 'check'], {}, tmpdir(), limit);
      expect(code, `${limit}`).not.toBe(0);
      expect(stderr, `${limit}`).not.toMatch(/^ +at .*\/src\//m);
      said.push(stderr);
    }
    expect(said.some((text) => text.startsWith('This process may open no more files (EMFILE)'))).toBe(true);
  });

  test.each(FULL ? [1, 2] : [1])(
    `H9 ulimit -n ${LIMIT} and ${NEIGHBOURS} connections of a neighbour (workers: %i): callers go on, new ones are answered, and it is reported`,
    async (workers) => {
      await using service = await startService({ ECT_WORKERS: String(workers) }, LIMIT);
      // The log is written in blocks.
      await expect
        .poll(() => service.events('descriptors-few'), SOON)
        .toMatchObject([
          { warning: expect.stringContaining(`ulimit -n is ${LIMIT}, and the service needs 64 for itself`) },
        ]);
      using client = dial(service.address);
      await record(client);
      const processes = workers === 1 ? [service.pid] : await workersOf(service.pid);
      const idle = await Promise.all(processes.map(openIn));
      // What the service has open by itself, and a spare for what comes and goes.
      for (const open of idle) expect(open).toBeLessThan(64 - 12);

      const sockets = await neighbour(service);
      for (let round = 0; round < rounds(5, 2); round++) {
        await record(client);
        expect(await readyz(service)).toBe(200);
        using newcomer = dial(service.address);
        await record(newcomer);
        for (const pid of processes) expect(await openIn(pid)).toBeLessThan(LIMIT);
      }
      expect(await metric(service, 'ect_descriptors_free')).toBeGreaterThan(0);
      expect(await metric(service, 'process_max_fds')).toBeGreaterThanOrEqual(LIMIT);
      expect(await metric(service, 'process_open_fds')).toBeGreaterThan(idle[0]!);
      // Once, however many were closed.
      expect(service.events('connections-full')).toHaveLength(workers);
      expect(await metric(service, 'ect_limit_met_total\\{limit="connections"\\}')).toBeGreaterThan(100);

      for (const socket of sockets) socket.destroy();
      await until(async () => (await metric(service, 'ect_limit_in_use\\{limit="connections"\\}')) < 8);
      await record(client);
      expect(service.events('bug')).toEqual([]);
      expect(service.events('storage-failed')).toEqual([]);
      expect(await service.stop()).toBe(0);
    },
  );

  test('H9 a limit that is too small for the settings ends the start with one line that says what to do', async () => {
    const settings = { ECT_DATA_DIR: join(tmpdir(), 'ect-none'), ECT_LISTEN: '127.0.0.1:0' };
    const line =
      'ulimit -n is 70, and the service needs 64 for itself and 16 for connections: raise it to 2112 or more';
    const { code, stderr } = await runMain(['config', 'check'], settings, tmpdir(), 70);
    expect([code, stderr]).toEqual([2, expect.stringContaining(line)]);
    await expect(startService({}, 70)).rejects.toThrow(line);
  });

  test.runIf(FULL)(
    'H9 a leak in one process: it is reported, connected callers and appends go on, and all is as before when it ends',
    async () => {
      await using service = await startService();
      using client = dial(service.address);
      await record(client);
      // No descriptor that is not open now can be opened from here on.
      setLimit(service.pid, 30);
      await until(() => service.events('descriptors-low').length > 0);
      for (let round = 0; round < 5; round++) await record(client);
      setLimit(service.pid, 20_000);
      await until(() => service.events('descriptors-recovered').length > 0);
      await until(async () => (await readyz(service)) === 200);
      await record(client);
      expect(service.events('bug')).toEqual([]);
      expect(await service.stop()).toBe(0);
    },
  );

  test.runIf(FULL)(
    'H9 a leak in one worker of two: it would get no connection any more, so it is replaced',
    async () => {
      await using service = await startService({ ECT_WORKERS: '2' });
      const [leaky = 0] = await workersOf(service.pid);
      setLimit(leaky, 30);
      await until(async () => {
        // One of these does not arrive, and hangs.
        await Promise.all([readyz(service), readyz(service)]);
        return service.events('worker-deaf').length > 0;
      });
      await until(async () => !(await workersOf(service.pid)).includes(leaky));
      expect(await workersOf(service.pid)).toHaveLength(2);
      for (let round = 0; round < 8; round++) {
        using client = dial(service.address);
        await record(client);
      }
      const answered = new Set(
        service
          .events('call')
          .slice(-16)
          .map(({ worker }) => worker),
      );
      expect(answered).toEqual(new Set([1, 2]));
      expect(await service.stop()).toBe(0);
    },
  );

  test.runIf(FULL)('H9 a leak in the supervisor of two workers is reported', async () => {
    await using service = await startService({ ECT_WORKERS: '2' });
    using client = dial(service.address);
    await record(client);
    setLimit(service.pid, 20);
    await until(() => service.events('descriptors-low').some(({ worker }) => worker === undefined));
    await record(client);
    setLimit(service.pid, 20_000);
    await until(async () => (await readyz(service)) === 200);
    expect(await service.stop()).toBe(0);
  });
});

/** Waits until something is so. The test's own time limit ends it otherwise. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(50);
}
