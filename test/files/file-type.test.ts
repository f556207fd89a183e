// The kind of fault: something else than a file at the path of a file. It is named with its path, at the start and by the check,
// and nothing waits for it, reads it for ever, or advises on its mode.

import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { checkConfig } from '../../src/maintenance/config-check.ts';
import { startService as startInProcess } from '../../src/service/index.ts';
import { ect } from '../cli/run.ts';
import { runMain } from '../support/service-process.ts';

let folder = '';
let data = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ect-file-type-'));
  data = join(folder, 'data');
  const service = await startInProcess(
    readConfig({ ECT_DATA_DIR: data, ECT_LISTEN: '127.0.0.1:0', ECT_LOG_LEVEL: 'silent' }),
  );
  await service.stop(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const TYPES: Readonly<Record<string, { readonly make: (path: string) => unknown; readonly reported: RegExp }>> = {
  directory: { make: (path) => mkdirSync(path, { mode: 0o755 }), reported: /is a directory, not a file/ },
  FIFO: { make: (path) => execFileSync('mkfifo', ['-m', '600', path]), reported: /is a FIFO, not a file/ },
  device: { make: (path) => symlinkSync('/dev/zero', path), reported: /is a device, not a file/ },
  link: {
    make: (path) => symlinkSync('/nowhere/at-all', path),
    reported: /is a symbolic link to \/nowhere\/at-all, where nothing is/,
  },
};

function encryptedKey(): string {
  const path = join(folder, 'encrypted.pem');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'secret' });
  writeFileSync(path, pem, { mode: 0o600 });
  return path;
}

/** What stops a start; undefined where it starts. */
async function startFault(env: Readonly<Record<string, string>>): Promise<Error | undefined> {
  try {
    const service = await startInProcess(readConfig({ ...env, ECT_LISTEN: '127.0.0.1:0', ECT_LOG_LEVEL: 'silent' }));
    await service.stop(0);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

const OWN = ['ledger.db', 'ledger.db-wal', 'once.db', 'once.db-shm', 'ledger.key', 'signing-key.pem'];
const cases = OWN.flatMap((name) => Object.keys(TYPES).map((type) => [type, name] as const));

describe.runIf(process.platform === 'linux')('something else than a file', () => {
  test.each(cases)('a %s in the place of %s', async (type, name) => {
    const copy = join(folder, `${type}-${name}`);
    cpSync(data, copy, { recursive: true });
    const path = join(copy, name);
    rmSync(path, { force: true });
    TYPES[type]!.make(path);
    const { problems } = await checkConfig({ ECT_DATA_DIR: copy }, { callKms: false });
    expect(problems).toEqual([expect.stringContaining(path)]);
    expect(problems[0]).toMatch(TYPES[type]!.reported);
    const fault = await startFault({ ECT_DATA_DIR: copy });
    expect(fault?.name).toMatch(/^(?:StartError|KeyFileError)$/);
    expect(fault?.message).toContain(path);
    expect(fault?.message).toMatch(TYPES[type]!.reported);
    expect(fault?.message).not.toContain('chmod');
  });

  test('a directory in the place of once.db ends the program with one line, and the check with 2', async () => {
    const copy = join(folder, 'program');
    cpSync(data, copy, { recursive: true });
    rmSync(join(copy, 'once.db'));
    mkdirSync(join(copy, 'once.db'));
    const env = { ECT_DATA_DIR: copy, ECT_LISTEN: '127.0.0.1:0' };
    const started = await runMain(['serve'], env);
    const reported = `${join(copy, 'once.db')} is a directory, not a file. Move it away, or restore the file from a backup.`;
    expect(started).toMatchObject({
      code: 1,
      stderr: `The data directory ${copy} cannot be used: ${reported}\n`,
    });
    const checked = await runMain(['config', 'check'], env);
    expect(checked).toMatchObject({ code: 2, stderr: expect.stringContaining(reported) });
  });

  const SETTINGS = [
    'ECT_LOCAL_KEY_PASSPHRASE_FILE',
    'ECT_TRUST_FILE',
    'ECT_TLS_CERT',
    'ECT_TLS_KEY',
    'ECT_TLS_CLIENT_CA',
    'ECT_LOCAL_KEY_FILE',
  ];
  test.each(
    ['directory', 'FIFO', 'device', 'link'].flatMap((type) => SETTINGS.map((setting) => [type, setting] as const)),
  )('a %s in the place of the file of %s', async (type, setting) => {
    const path = join(folder, `${type}-${setting}`);
    TYPES[type]!.make(path);
    const pem = join(folder, 'some.pem');
    writeFileSync(pem, 'x');
    const tls = setting.startsWith('ECT_TLS') ? { ECT_TLS_CERT: pem, ECT_TLS_KEY: pem } : {};
    const key = setting.includes('PASSPHRASE') ? { ECT_LOCAL_KEY_FILE: encryptedKey() } : {};
    const env = { ...tls, ...key, ECT_DATA_DIR: data, [setting]: path };
    const { problems } = await checkConfig(env, { callKms: false });
    const reported = problems.find((problem) => problem.includes(path));
    expect(reported).toMatch(TYPES[type]!.reported);
    const fault = await startFault(env);
    expect(fault?.message).toContain(path);
    expect(fault?.message).toMatch(TYPES[type]!.reported);
  });

  test('a socket is named as one', async () => {
    const path = join(folder, 'socket');
    const server = createServer().listen(path);
    await new Promise((listening) => server.once('listening', listening));
    try {
      for (const setting of ['ECT_TRUST_FILE', 'ECT_LOCAL_KEY_FILE']) {
        expect((await startFault({ ECT_DATA_DIR: data, [setting]: path }))?.message).toContain(
          `${path} is a socket, not a file`,
        );
      }
    } finally {
      server.close();
    }
  });

  test('a pipe that is open gives what it has, up to a limit', async () => {
    const path = join(folder, 'endless');
    execFileSync('mkfifo', [path]);
    const writer = spawn('sh', ['-c', `exec yes > '${path}'`], { stdio: 'ignore' });
    const ended = once(writer, 'exit');
    // As a shell passes on what it made for `<(…)`.
    const open = openSync(path, 'r');
    const fault = await startFault({ ECT_DATA_DIR: data, ECT_TRUST_FILE: `/proc/self/fd/${open}` });
    closeSync(open);
    expect(fault?.message).toContain('is larger than 1 MiB');
    // Its reader is gone.
    expect((await ended)[1]).toBe('SIGPIPE');
  });

  test('a directory that is a file, or a link to nothing, is named as that', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    const link = join(folder, 'a-link');
    symlinkSync('/nowhere/at-all', link);
    for (const [path, reported] of [
      [file, `${file} is a file, not a directory.`],
      [link, `${link} is a symbolic link to /nowhere/at-all, where nothing is.`],
    ] as const) {
      const { problems } = await checkConfig({ ECT_DATA_DIR: path }, { callKms: false });
      expect(problems).toEqual([expect.stringContaining(reported)]);
      expect((await startFault({ ECT_DATA_DIR: path }))?.message).toContain(reported);
    }
  });

  test('of a link to nothing in the place of a ledger none is made', async () => {
    const copy = join(folder, 'linked');
    cpSync(data, copy, { recursive: true });
    rmSync(join(copy, 'ledger.db'));
    const target = join(folder, 'not-mounted.db');
    symlinkSync(target, join(copy, 'ledger.db'));
    expect((await startFault({ ECT_DATA_DIR: copy }))?.message).toContain('ledger.db');
    expect(() => readFileSync(target)).toThrow('ENOENT');
  });

  test('the command line says it too', async () => {
    const fifo = join(folder, 'fifo.db');
    execFileSync('mkfifo', [fifo]);
    const { code, err } = await ect(['audit', fifo]);
    expect(code).toBe(2);
    expect(err).toContain(`${fifo} is a FIFO, not a file`);
  });
});
