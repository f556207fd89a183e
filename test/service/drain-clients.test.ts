// Workers that are replaced under load, seen by the clients that people use: each connection ends in two steps, so no call is lost.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dial } from '../interop/grpc-js-client.ts';
import { generatePython, PYTHON_NEED, python } from '../interop/python-client.ts';
import { BUILD_MS, runProgram } from '../interop/run-program.ts';
import { describeWhen, describeWith } from '../support/need.ts';
import { authorityClient } from '../support/rpc-clients.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const TASK = { exec_act: 'review_spec', aud: ['urn:example:reviewer'] };
const REPLACEMENTS = 2;
const MINUTES_MS = 120_000;

interface Load {
  /** Ends the load. Returns how many calls were answered, and the rejections of the others. */
  end(): Promise<{ readonly answered: number; readonly failed: readonly string[] }>;
}

/** Callers in this process, each with one call at a time. */
function loadOf(callers: readonly (() => Promise<unknown>)[], close: () => void = () => undefined): Load {
  let isOver = false;
  let answered = 0;
  const failed: string[] = [];
  const caller = async (call: () => Promise<unknown>) => {
    while (!isOver) {
      await call().then(
        () => {
          answered += 1;
        },
        (error: unknown) => void failed.push(String(error)),
      );
    }
  };
  const done = Promise.all(callers.map(caller));
  return {
    end: async () => {
      isOver = true;
      await done;
      close();
      return { answered, failed };
    },
  };
}

/** Callers in a program of another party, which goes on until its input ends. */
async function loadBy(program: string, args: readonly string[], asked: object, env = {}): Promise<Load> {
  const child: ChildProcess = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: MINUTES_MS,
    killSignal: 'SIGKILL',
  });
  const lines = createInterface({ input: child.stdout! });
  child.stdin!.write(`${JSON.stringify(asked)}\n`);
  expect(JSON.parse(String(await once(lines, 'line')))).toBe('ready');
  return {
    end: async () => {
      child.stdin!.end();
      const [line] = await once(lines, 'line');
      return JSON.parse(line);
    },
  };
}

/** Replaces all workers a few times while the loads go on, and answers what failed. */
async function replaceUnder(service: ServiceProcess, loads: readonly Load[]): Promise<readonly string[]> {
  for (let replaced = 1; replaced <= REPLACEMENTS; replaced++) {
    process.kill(service.pid, 'SIGUSR2');
    await expect.poll(() => service.events('stopped').length, { timeout: 60_000 }).toBe(2 * replaced);
  }
  const outcomes = await Promise.all(loads.map((load) => load.end()));
  expect(service.events('stopped').filter(({ cut }) => cut !== 0)).toEqual([]);
  for (const { answered } of outcomes) expect(answered).toBeGreaterThan(50);
  return outcomes.flatMap(({ failed }) => failed);
}

const startTwo = () => startService({ ECT_WORKERS: '2' });
const CONNECT_NODE = ['Connect over HTTP/1.1', 'gRPC-Web over HTTP/1.1', 'gRPC over HTTP/2', 'Connect over HTTP/2'];

test('L17 grpc-js and connect-node, with several calls on a connection, lose no call', {
  timeout: MINUTES_MS,
}, async () => {
  await using service = await startTwo();
  const channels = [dial(service.address), dial(service.address)];
  const issue = channels.map((client) => () => client.call('ect.v1.AuthorityService/Issue', TASK));
  const grpcJs = loadOf([...issue, ...issue], () => {
    for (const channel of channels) channel[Symbol.dispose]();
  });
  const loads = CONNECT_NODE.map((protocol) => {
    const client = authorityClient(service.url, protocol);
    const call = () => client.issue({ execAct: TASK.exec_act, aud: TASK.aud });
    return loadOf([call, call]);
  });
  expect(await replaceUnder(service, [grpcJs, ...loads])).toEqual([]);
});

describeWith('go', 'with Go', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ect-drain-go-'));
    const buf = join(REPOSITORY, 'node_modules/.bin/buf');
    const described = await runProgram(buf, ['build', 'proto', '-o', join(folder, 'descriptors.binpb')]);
    const cwd = new URL('../interop/go-grpc/', import.meta.url);
    const built = await runProgram('go', ['build', '-o', join(folder, 'client'), '.'], { cwd, limitMs: BUILD_MS });
    expect([described.code, built.code], built.stderr).toEqual([0, 0]);
  }, BUILD_MS);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('L17 grpc-go loses no call', { timeout: MINUTES_MS }, async () => {
    await using service = await startTwo();
    const asked = { authority: service.address, descriptors: join(folder, 'descriptors.binpb') };
    const load = await loadBy(join(folder, 'client'), [], asked);
    expect(await replaceUnder(service, [load])).toEqual([]);
  });
});

describeWhen(python !== undefined, 'with Python', PYTHON_NEED, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ect-drain-python-'));
    await generatePython(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('L17 grpcio loses no call', { timeout: MINUTES_MS }, async () => {
    await using service = await startTwo();
    const program = fileURLToPath(new URL('../interop/python/load.py', import.meta.url));
    const env = { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' };
    const load = await loadBy(python ?? '', [program], { address: service.address }, env);
    expect(await replaceUnder(service, [load])).toEqual([]);
  });
});
