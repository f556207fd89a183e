// A configuration file under the real process.

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runMain, startService } from '../support/service-process.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-config-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, text: string | Buffer, mode = 0o644): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text, { mode });
  return path;
}

async function issuerOf(url: string): Promise<unknown> {
  const answer = await fetch(`${url}/.well-known/ect-authority`);
  return ((await answer.json()) as { issuer: unknown }).issuer;
}

test('a check shows which settings come from the file, and prints every mistake of both', async () => {
  const file = await write('check.yaml', `ECT_DATA_DIR: ${folder}/data\nECT_LISTEN: 127.0.0.1:0\n`);
  const check = ['config', 'check', '--config', file];
  const sound = await runMain(check, { ECT_LOG_LEVEL: 'warn' });
  expect(sound).toMatchObject({ code: 0, stderr: '' });
  expect(sound.stdout).toMatch(/^ {2}ECT_LISTEN +127\.0\.0\.1:0 \(file\)$/m);
  expect(sound.stdout).toMatch(/^ {2}ECT_LOG_LEVEL +warn$/m);
  expect(sound.stdout).toMatch(/^ {2}ECT_STORE +sqlite \(default\)$/m);
  const { settings } = JSON.parse((await runMain([...check, '--json'])).stdout);
  expect(settings.ECT_LISTEN).toEqual({ value: '127.0.0.1:0', default: false, source: 'file' });

  await write('check.yaml', 'ECT_STORE: paper\nECT_LISTENN: a\n');
  const wrong = await runMain(check, {
    ECT_UUIDS: 'maybe',
    ECT_DATA_DIR: join(folder, 'data'),
    ECT_LISTEN: '127.0.0.1:0',
  });
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  for (const start of [
    `${file}:1: ECT_STORE must be`,
    `${file}:2: ECT_LISTENN is not a setting`,
    'ECT_UUIDS must be',
  ]) {
    expect(wrong.stderr).toContain(`\n  ${start}`);
  }
});

test('a service, and a worker that replaces another, run with what the file said at the start', async () => {
  const file = await write('serve.yaml', 'ECT_ISSUER: urn:example:first\nECT_WORKERS: 2\nECT_LOG_LEVEL: info\n');
  await using service = await startService({ ECT_CONFIG: file });
  expect(await issuerOf(service.url)).toBe('urn:example:first');
  await write('serve.yaml', 'ECT_ISSUER: urn:example:second\nECT_JTI_REPLAY_CACHE_SIZE: 5\n');
  process.kill(service.pid, 'SIGUSR2');
  await expect.poll(() => service.events('stopped').length, { timeout: 60_000 }).toBe(2);
  expect(await issuerOf(service.url)).toBe('urn:example:first');
  expect(await service.stop()).toBe(0);
});

test('commands that work on what belongs to a service find its settings in the file of ECT_CONFIG', async () => {
  const file = await write('backup.yaml', `ECT_DATA_DIR: ${folder}/of-the-file\n`);
  const { code, stderr } = await runMain(['backup', join(folder, 'copy')], { ECT_CONFIG: file });
  expect(code).not.toBe(0);
  expect(stderr).toContain(join(folder, 'of-the-file'));
});

test('a check shows every value that counts with its source, also the file that an option names', async () => {
  const file = await write('shown.yaml', `ECT_DATA_DIR: ${folder}/shown\nECT_LISTEN: 127.0.0.1:0\n`);
  const env = { ECT_DATA_DIR: '', ECT_CONFIG: '' };
  const { code, stdout } = await runMain(['config', 'check', '--config', file], env);
  expect(code).toBe(0);
  const shown = Object.fromEntries(stdout.split('\n').map((line) => line.trim().split(/ {2,}/)));
  expect(shown).toMatchObject({
    ECT_CONFIG: `${file} (option)`,
    ECT_DATA_DIR: `${folder}/shown (file)`,
    ECT_ISSUER: 'urn:ect:dev (default)',
  });
  const named = await runMain(['config', 'check', '--json'], { ...env, ECT_CONFIG: file });
  expect(JSON.parse(named.stdout).settings.ECT_CONFIG).toEqual({ value: file, source: 'environment', default: false });
});

test.each<[what: string, make: () => Promise<string>, fault: string]>([
  ['is not there', async () => join(folder, 'nowhere.yaml'), 'there is no file '],
  ['is a directory', async () => folder, 'is a directory, not a file'],
  ['is larger than 64 KiB', () => write('large.yaml', `#${' '.repeat(64 * 1024)}`), 'is larger than 64 KiB'],
  ['is not UTF-8', () => write('bytes.yaml', Buffer.from([0xff, 0xfe, 0xff])), 'is not UTF-8'],
])('a file that %s stops the start with exit code 2, and says so', async (_, make, fault) => {
  const path = await make();
  const { code, stderr } = await runMain(['serve', '--config', path], { ECT_DATA_DIR: join(folder, 'data') });
  expect(code).toBe(2);
  expect(stderr).toContain(`The configuration file cannot be used: `);
  expect(stderr).toContain(path);
  expect(stderr).toContain(fault);
});

test('S4 a file that others may write is rejected: they would say where keys and callers come from', async () => {
  const path = await write('open.yaml', 'ECT_STORE: memory\n');
  await chmod(path, 0o666);
  const { code, stderr } = await runMain(['serve', '--config', path], { ECT_DATA_DIR: join(folder, 'data') });
  expect(code).toBe(2);
  expect(stderr).toContain(`${path} can be written by others: run chmod o-w on it`);
});
