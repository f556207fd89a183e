// The options of V8 and the settings of the C library: who gets them, and that every process of a service runs with them.

import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { runWithV8Options } from '../../src/runtime/v8-options.ts';
import { startService } from '../support/service-process.ts';

const SITES = '--no-allocation-site-pretenuring';
const YOUNG = '--max-semi-space-size=16';
const OLD = '--heap-growing-percent=75';
const THREADS = '--v8-pool-size=2';
const MALLOC = { MALLOC_MMAP_THRESHOLD_: '16384' };

/** Each with another value. */
const ALL = [
  '--allocation-site-pretenuring',
  '--max-semi-space-size=64',
  '--heap-growing-percent=100',
  '--v8-pool-size=4',
];

/** The command lines that a process with these properties is replaced by. */
function startedAnew(properties: Partial<Parameters<typeof runWithV8Options>[0]> = {}): readonly unknown[] {
  const calls: unknown[] = [];
  runWithV8Options({
    argv: ['/bin/node', '/app/main.ts', 'serve'],
    env: { PATH: '/bin' },
    execArgv: ['--cpu-prof'],
    execPath: '/bin/node',
    platform: 'linux',
    execve: ((...call: unknown[]) => calls.push(call)) as unknown as NonNullable<NodeJS.Process['execve']>,
    ...properties,
  });
  return calls;
}

test('a process is started anew with the options, and with everything that it was started with', () => {
  const args = ['/bin/node', SITES, YOUNG, OLD, THREADS, '--cpu-prof', '/app/main.ts', 'serve'];
  expect(startedAnew()).toEqual([['/bin/node', args, { PATH: '/bin', ...MALLOC }]]);
});

test.each([
  ['its command line', ['--max-semi-space-size=64'], ''],
  ['NODE_OPTIONS', [], '--no-warnings --max-semi-space-size=64'],
])('an option from %s stands, and the others are added', (_, execArgv, options) => {
  const env = { NODE_OPTIONS: options };
  const args = ['/bin/node', SITES, OLD, THREADS, ...execArgv, '/app/main.ts', 'serve'];
  expect(startedAnew({ execArgv, env })).toEqual([['/bin/node', args, { ...env, ...MALLOC }]]);
});

test('a setting of the C library that its operator has said stands', () => {
  const env = { MALLOC_MMAP_THRESHOLD_: '131072' };
  expect(startedAnew({ env })).toEqual([['/bin/node', expect.any(Array), env]]);
  expect(startedAnew({ env, execArgv: ALL })).toEqual([]);
});

test('a process with the options of V8 is started anew for the settings of the C library, on Linux only', () => {
  const args = ['/bin/node', ...ALL, '/app/main.ts', 'serve'];
  expect(startedAnew({ execArgv: ALL, env: {} })).toEqual([['/bin/node', args, MALLOC]]);
  expect(startedAnew({ execArgv: ALL, env: {}, platform: 'darwin' })).toEqual([]);
});

test.each([
  ['has all of them', { execArgv: ALL, env: MALLOC }],
  ['has a channel to its parent', { channel: {} as NonNullable<NodeJS.Process['channel']> }],
  ['runs where no process can be replaced', { platform: 'win32' as const }],
])('a process that %s goes on as it is', (_, properties) => {
  expect(startedAnew(properties)).toEqual([]);
});

describe.runIf(process.platform === 'linux')('a service', () => {
  const commandLine = async (pid: number) => (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');

  test('runs with the options under the process id that it was started with', async () => {
    await using service = await startService();
    expect(await commandLine(service.pid)).toEqual(expect.arrayContaining([SITES, YOUNG, OLD, THREADS]));
    expect(await service.stop()).toBe(0);
  });

  test('gives the memory of large requests back to the system, and so do its workers', async () => {
    await using service = await startService({ ECT_WORKERS: '2' });
    const { pid } = service;
    const workers = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean);
    for (const process of [pid, ...workers])
      expect(await readFile(`/proc/${process}/environ`, 'utf8')).toContain('MALLOC_MMAP_THRESHOLD_=16384');
  });

  test('hands the options on to its workers', async () => {
    await using service = await startService({ ECT_WORKERS: '2' });
    const { pid } = service;
    const workers = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean);
    expect(workers).toHaveLength(2);
    for (const worker of workers)
      expect(await commandLine(Number(worker))).toEqual(expect.arrayContaining([SITES, YOUNG, OLD, THREADS]));
  });

  test('keeps the option that its operator has said', async () => {
    await using service = await startService({ NODE_OPTIONS: '--max-semi-space-size=32' });
    expect(await commandLine(service.pid)).not.toContain(YOUNG);
    expect(await commandLine(service.pid)).toContain(OLD);
  });
});
