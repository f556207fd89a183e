// What `ect config check` finds: every mistake that would stop a start, and nothing that it changes.

import { chmod, cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkConfig } from '../src/config-check.ts';
import { ect } from './cli/run.ts';
import { runMain, type ServiceProcess, startService } from './support/service-process.ts';

let service: ServiceProcess;
let folder = '';

beforeAll(async () => {
  service = await startService();
  folder = await mkdtemp(join(tmpdir(), 'ect-config-check-'));
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

type Env = Readonly<Record<string, string>>;

async function problemsOf(env: Env): Promise<readonly string[]> {
  return (await checkConfig(env, { callKms: false })).problems;
}

/** The data of a service that has stopped, with something done to it. */
async function dataWith(name: string, change: (path: string) => Promise<unknown>): Promise<string> {
  const path = join(folder, name);
  await cp(service.dataDir, path, { recursive: true });
  await change(path);
  return path;
}

describe('a sound configuration', () => {
  test('has no problem before the first start, and the check makes nothing', async () => {
    const path = join(folder, 'not/yet/there');
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([]);
    expect(await readdir(folder)).not.toContain('not');
  });

  test('has no problem beside the service that runs with it, whose port is in use', async () => {
    const before = await readdir(service.dataDir);
    expect(await problemsOf({ ECT_DATA_DIR: service.dataDir, ECT_LISTEN: service.address })).toEqual([]);
    const after = (await readdir(service.dataDir)).filter((name) => !/-(?:shm|wal)$/.test(name));
    expect(before).toEqual(expect.arrayContaining(after));
  });

  test('is shown with what counts for each setting, and no secret', async () => {
    const key = join(folder, 'plain.pem');
    await ect(['keygen', '--out', key]);
    const env = { ECT_DATA_DIR: folder, ECT_LOCAL_KEY_FILE: key, ECT_MINIMUM_LEVELS: 'pay=L3' };
    const { problems, settings } = await checkConfig(env, { callKms: false });
    expect(problems).toEqual([]);
    const shown = Object.fromEntries(settings.map(({ name, value, isDefault }) => [name, [value, isDefault]]));
    expect(shown).toMatchObject({
      ECT_LISTEN: ['127.0.0.1:8080', true],
      ECT_LOCAL_KEY_FILE: [key, false],
      ECT_MINIMUM_LEVELS: ['pay=L3', false],
      ECT_REVIEW_ACTIONS: ['human_review', true],
      ECT_ADMINS: ['none', true],
    });
    const secret = await checkConfig({ ...env, ECT_LOCAL_KEY_PASSPHRASE: 'canary' }, { callKms: false });
    expect(JSON.stringify(secret)).not.toContain('canary');
  });
});

describe('every mistake is found at once', () => {
  test('of settings, of files, of the data directory and of the address', async () => {
    const problems = await problemsOf({
      ECT_STOER: 'memory',
      ECT_WORKERS: 'many',
      ECT_LISTEN: '192.0.2.1:8080',
      ECT_ALLOW_ANONYMOUS: 'yes',
      ECT_DATA_DIR: '/dev/null/data',
      ECT_LOCAL_KEY_FILE: join(folder, 'no-key.pem'),
      ECT_TRUST_FILE: join(folder, 'no-trust.json'),
      ECT_TLS_CERT: join(folder, 'no-cert.pem'),
      ECT_TLS_KEY: join(folder, 'no-key.pem'),
    });
    const expected = [
      /^ECT_WORKERS must be/,
      /^ECT_STOER is not a setting: did you mean ECT_STORE\?/,
      /^ECT_DATA_DIR: a part of \/dev\/null\/data is a file/,
      /^The key file cannot be read: there is no file .*no-key\.pem/,
      /^The file of ECT_TLS_CERT cannot be read/,
      /^The file of ECT_TLS_KEY cannot be read/,
      /^The file of ECT_TRUST_FILE cannot be read/,
      /^Cannot listen on 192\.0\.2\.1:8080 \(EADDRNOTAVAIL\)/,
    ];
    expect(problems).toEqual(expected.map((rule) => expect.stringMatching(rule)));
  });

  test.each<[what: string, change: (path: string) => Promise<unknown>, rule: RegExp]>([
    ['a ledger without its key', (path) => rm(join(path, 'ledger.key')), /is there but its key .* is not/],
    [
      'a key that others can read',
      (path) => chmod(join(path, 'ledger.key'), 0o644),
      /ledger\.key can be read by others/,
    ],
    [
      'a key of another ledger',
      async (path) => {
        await rm(join(path, 'ledger.key'));
        await ect(['keygen', '--ledger', 'ledger.example/other', '--out', join(path, 'ledger.key')]);
      },
      /ledger\.db belongs to another key than .*ledger\.key/,
    ],
    ['a file that is no ledger', (path) => writeFile(join(path, 'ledger.db'), 'x'.repeat(4096)), /not an SQLite file/],
    [
      'another database in its place',
      (path) => cp(join(path, 'once.db'), join(path, 'ledger.db')),
      /is once\.db of a service/,
    ],
    [
      'a ledger in the place of once.db',
      (path) => cp(join(path, 'ledger.db'), join(path, 'once.db')),
      /is a ledger, not a memory/,
    ],
    ['a damaged signing key', (path) => writeFile(join(path, 'signing-key.pem'), 'x'), /holds no private key/],
  ])('in the data directory: %s', async (what, change, rule) => {
    await service.stop();
    const path = await dataWith(what.replaceAll(' ', '-'), change);
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([expect.stringMatching(rule)]);
    // What the check finds would stop a start.
    const started = await runMain(['serve'], { ECT_DATA_DIR: path, ECT_LISTEN: '127.0.0.1:0' });
    expect(started.code).not.toBe(0);
    // There is no call that could be repeated.
    expect(started.stderr).not.toContain('Retry');
    expect(started.stderr).not.toMatch(/^ +at /m);
  });
});

describe('the command', () => {
  test('exits with 0 and shows the configuration, or with 2 and every mistake', async () => {
    await mkdir(join(folder, 'mine'), { mode: 0o700 });
    const env = { ECT_DATA_DIR: join(folder, 'mine'), ECT_ISSUER: 'urn:example:mine' };
    const sound = await runMain(['config', 'check'], env);
    expect(sound).toMatchObject({ code: 0, stderr: '' });
    expect(sound.stdout).toMatch(/^✓ a service would start with this configuration\n/);
    expect(sound.stdout).toMatch(/^ {2}ECT_ISSUER +urn:example:mine$/m);
    expect(sound.stdout).toMatch(/^ {2}ECT_LISTEN +127\.0\.0\.1:8080 \(default\)$/m);
    expect((await stat(join(folder, 'mine'))).isDirectory()).toBe(true);
    expect(await readdir(join(folder, 'mine'))).toEqual([]);

    const wrong = await runMain(['config', 'check'], { ...env, ECT_STORE: 'paper', ECT_TRUST_FILE: '/nowhere/trust' });
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(
      /^✗ 2 mistakes:\n {2}ECT_STORE must be .*\n {2}The file of ECT_TRUST_FILE cannot be read/,
    );

    const json = await runMain(['config', 'check', '--json'], { ...env, ECT_STORE: 'paper' });
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({ valid: false, problems: [expect.any(String)], settings: {} });
  });
});
