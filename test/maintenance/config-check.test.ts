// What `ect config check` finds: every mistake that would stop a start, and nothing that it changes.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkConfig } from '../../src/maintenance/config-check.ts';
import { generateKeyPem } from '../../src/signers/local/index.ts';
import { flipInIndex } from '../backup/flip-in-index.ts';
import { ect } from '../cli/run.ts';
import { createCertificateAuthority } from '../support/certificates.ts';
import { FULL } from '../support/full.ts';
import { describeWhen, describeWith } from '../support/need.ts';
import { MAIN, runMain, type ServiceProcess, startService } from '../support/service-process.ts';

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

const LAST_BYTE = /\((?:ledger|once)\.db\) is damaged: its last byte is missing\. Restore it from a backup\./;

async function cutOne(path: string): Promise<void> {
  await truncate(path, (await stat(path)).size - 1);
}

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

describe('a ledger in PostgreSQL', () => {
  test('has its files looked at, without a call of the database', async () => {
    const key = await dataWith('with-postgres', async () => undefined);
    const env = {
      ECT_STORE: 'postgres',
      ECT_POSTGRES_URL: 'postgres://ada@127.0.0.1:1/ect?sslmode=verify-full',
      ECT_LOCAL_KEY_FILE: join(key, 'signing-key.pem'),
      ECT_LEDGER_KEY_FILE: join(key, 'ledger.key'),
      ECT_DATA_DIR: join(folder, 'of-a-replica'),
    };
    expect(await problemsOf(env)).toEqual([]);
    const wrong = {
      ...env,
      ECT_POSTGRES_CA_FILE: join(key, 'ledger.key'),
      ECT_LEDGER_KEY_FILE: join(key, 'signing-key.pem'),
    };
    expect((await problemsOf(wrong)).toSorted()).toEqual([
      expect.stringMatching(/signing-key\.pem does not hold a ledger key/),
      expect.stringMatching(/^The file of ECT_POSTGRES_CA_FILE, .*, holds no certificate in PEM\.$/),
    ]);
  });
});

describe('a sound configuration', () => {
  test('has no problem before the first start, and the check makes nothing', async () => {
    const path = join(folder, 'not/yet/there');
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([]);
    expect(await readdir(folder)).not.toContain('not');
  });

  test('has no problem beside the service that runs with it, whose port is in use', async () => {
    const before = await readdir(service.dataDir);
    const env = { ECT_DATA_DIR: service.dataDir, ECT_LISTEN: service.address };
    const { problems, warnings } = await checkConfig(env, { callKms: false });
    expect(problems).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining(`Another process uses ${service.address} now`)]);
    expect(await readdir(service.dataDir)).toEqual(before);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  });

  test('the check leaves what is there: nothing beside a database at rest, and the write-ahead files of a crash', async () => {
    await service.stop();
    const stopped = await dataWith('stopped', async () => {});
    await service.restart();
    await service.kill();
    const crashed = await dataWith('crashed', async () => {});
    await service.restart();
    for (const path of [stopped, crashed]) {
      const before = await contentsOf(path);
      expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([]);
      expect(await contentsOf(path)).toEqual(before);
    }
    expect(await readdir(stopped)).not.toContain('ledger.db-shm');
    expect(await readdir(crashed)).toContain('ledger.db-wal');
  });

  test('an address is tried as a start would: of an IPv6 one too, and what may not be had is told with what to set', async () => {
    const server = createServer().listen(0, '::1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const env = { ECT_STORE: 'memory', ECT_LISTEN: `[::1]:${port}` };
    expect((await checkConfig(env, { callKms: false })).warnings).toEqual([
      expect.stringContaining(`Another process uses [::1]:${port} now`),
    ]);
    server.close();
    await once(server, 'close');
    expect((await checkConfig(env, { callKms: false })).warnings).toEqual([]);
    expect(await problemsOf({ ...env, ECT_LISTEN: '[2001:db8::1]:8080' })).toContainEqual(
      expect.stringContaining('Cannot listen on [2001:db8::1]:8080 (EADDRNOTAVAIL)'),
    );
  });

  test('S11 has no problem where fsGroup opened its files, beside the links of a Service; nobody loses a right', async () => {
    const path = await dataWith('of-a-group', async (copy) => {
      for (const name of await readdir(copy)) await chmod(join(copy, name), 0o660);
      await chmod(copy, 0o2770);
    });
    const key = join(folder, 'group.pem');
    await ect(['keygen', '--out', key]);
    await chmod(key, 0o660);
    const links = {
      ECT_AUTHORITY_SERVICE_HOST: '10.96.7.1',
      ECT_AUTHORITY_SERVICE_PORT: '8443',
      ECT_AUTHORITY_PORT: 'tcp://10.96.7.1:8443',
    };
    expect(await problemsOf({ ECT_DATA_DIR: path, ...links })).toEqual([]);
    expect(await problemsOf({ ECT_DATA_DIR: path, ECT_LOCAL_KEY_FILE: key, ...links })).toEqual([]);
    for (const name of ['signing-key.pem', 'ledger.key', 'ledger.db', 'once.db']) {
      expect((await stat(join(path, name))).mode & 0o777, name).toBe(0o660);
    }
    expect((await stat(key)).mode & 0o777).toBe(0o660);
  });

  test('is shown with what counts for each setting, and no secret', async () => {
    const key = join(folder, 'plain.pem');
    await ect(['keygen', '--out', key]);
    const env = { ECT_DATA_DIR: folder, ECT_LOCAL_KEY_FILE: key, ECT_MINIMUM_LEVELS: 'pay=L3' };
    const { problems, settings } = await checkConfig(env, { callKms: false });
    expect(problems).toEqual([]);
    const shown = Object.fromEntries(settings.map(({ name, value, source }) => [name, [value, source]]));
    expect(shown).toMatchObject({
      ECT_LISTEN: ['127.0.0.1:8080', 'default'],
      ECT_LOCAL_KEY_FILE: [key, 'environment'],
      ECT_MINIMUM_LEVELS: ['pay=L3', 'environment'],
      ECT_REVIEW_ACTIONS: ['human_review', 'default'],
      ECT_ADMINS: ['nobody', 'default'],
      ECT_MAX_CONNECTIONS: ['2048', 'default'],
      ECT_MAX_CONNECTIONS_PER_ADDRESS: ['half of ECT_MAX_CONNECTIONS', 'default'],
      ECT_MAX_STREAMS: ['512', 'default'],
      ECT_MAX_HELD_MIB: ['96', 'default'],
      ECT_REQUEST_TIMEOUT_SEC: ['15', 'default'],
      ECT_ANSWER_TIMEOUT_SEC: ['30', 'default'],
      ECT_IDLE_TIMEOUT_SEC: ['600', 'default'],
      ECT_CALLER_WRITE_MIB_PER_HOUR: ['4096', 'default'],
      ECT_MIN_FREE_DISK_MIB: ['512, or a tenth of the disk', 'default'],
      ECT_REPLAY: ['store', 'default'],
      ECT_JTI_REPLAY_CACHE_SIZE: ['as ECT_REPLAY says', 'default'],
    });
    const replaced = await checkConfig({ ...env, ECT_JTI_REPLAY_CACHE_SIZE: '0' }, { callKms: false });
    expect(replaced.settings.find(({ name }) => name === 'ECT_REPLAY')?.value).toBe(
      'as ECT_JTI_REPLAY_CACHE_SIZE says',
    );
    const secret = await checkConfig({ ...env, ECT_LOCAL_KEY_PASSPHRASE: 'canary' }, { callKms: false });
    expect(JSON.stringify(secret)).not.toContain('canary');
  });
});

/** Every file of a directory, by its name. */
async function contentsOf(path: string): Promise<Readonly<Record<string, string>>> {
  const names = await readdir(path);
  const texts = await Promise.all(names.map((name) => readFile(join(path, name), 'latin1')));
  return Object.fromEntries(names.map((name, at) => [name, texts[at] ?? '']));
}

describe('every mistake is found at once', () => {
  test('of all the files of a data directory, and of a key file beside that of its passphrase', async () => {
    const path = await dataWith('all-wrong', async (copy) => {
      for (const name of ['ledger.db', 'ledger.key', 'once.db', 'signing-key.pem']) {
        await writeFile(join(copy, name), 'a text, and nothing else');
      }
      for (const name of ['ledger.db-wal', 'once.db-wal']) await rm(join(copy, name), { force: true });
    });
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([
      expect.stringContaining('ledger.key does not hold a ledger key'),
      expect.stringContaining('ledger.db is not an SQLite file'),
      expect.stringContaining('once.db is not an SQLite file'),
      expect.stringContaining('signing-key.pem holds no private key'),
    ]);
    const [noKey, noPhrase] = [join(folder, 'no-such.pem'), join(folder, 'no-such-phrase')];
    const files = { ECT_LOCAL_KEY_FILE: noKey, ECT_LOCAL_KEY_PASSPHRASE_FILE: noPhrase };
    expect(await problemsOf({ ECT_STORE: 'memory', ...files })).toEqual([
      expect.stringContaining(noKey),
      expect.stringContaining(noPhrase),
    ]);
    await rm(join(path, 'ledger.key'));
    await rm(join(path, 'once.db'));
    await mkdir(join(path, 'once.db'));
    await mkdir(join(path, 'ledger.db-shm'), { recursive: true }).catch(() => {});
    expect((await problemsOf({ ECT_DATA_DIR: path })).join('\n')).toMatch(
      /once\.db is a directory.*\n.*ledger\.db is there but its key.*\n.*ledger\.db is not an SQLite file/,
    );
  });

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
    ['a ledger without its last byte', (path) => cutOne(join(path, 'ledger.db')), LAST_BYTE],
    ['a memory of uses without its last byte', (path) => cutOne(join(path, 'once.db')), LAST_BYTE],
    [
      'half a memory of uses',
      (path) => truncate(join(path, 'once.db'), 20_000),
      /once\.db\) is damaged: its last \d+ bytes/,
    ],
    ['a lock with a content', (path) => writeFile(join(path, 'owner.lock'), 'x'), /owner\.lock has a content/],
    [
      'a ledger key of gigabytes',
      (path) => truncate(join(path, 'ledger.key'), 3 * 1024 ** 3),
      /ledger\.key is larger than 1 MiB/,
    ],
  ])('in the data directory: %s', async (what, change, rule) => {
    await service.stop();
    const path = await dataWith(what.replaceAll(' ', '-'), change);
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([expect.stringMatching(rule)]);
    // What the check finds would stop a start. `npm test` starts the program for the first of them only.
    if (!FULL && what !== 'a ledger without its key') return;
    const started = await runMain(['serve'], { ECT_DATA_DIR: path, ECT_LISTEN: '127.0.0.1:0' });
    expect(started.code).not.toBe(0);
    // There is no call that could be repeated.
    expect(started.stderr).not.toContain('Retry');
    expect(started.stderr).not.toMatch(/^ +at /m);
  });
});

describe('damage that a start finds and goes on with, reading only, is told before it', () => {
  test.each<[what: string, damage: (path: string) => unknown, rule: RegExp]>([
    [
      'of the ledger',
      (path) => flipInIndex(join(path, 'ledger.db'), 1),
      /ledger\.db is damaged: entry 1: it is not found by its name, and \d+ more\. .*nothing recorded\. Restore a backup with `ect restore --replace`\.$/,
    ],
    [
      'of what is remembered once',
      (path) => {
        using database = new DatabaseSync(join(path, 'once.db'));
        const row = database.prepare("INSERT INTO uses VALUES (?, ?, '', 'a token', 9e9)");
        row.run(new Uint8Array(32), new Uint8Array(32));
      },
      /once\.db is damaged: a digest in uses is not that of what was used\. No use of a token would be accepted/,
    ],
  ])('%s', async (what, damage, rule) => {
    await service.stop();
    const path = await dataWith(what.replaceAll(' ', '-'), async (copy) => damage(copy));
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([expect.stringMatching(rule)]);
  });

  test('and so is what was found before, until all of the file was examined', async () => {
    const path = await dataWith('found-before', (copy) => writeFile(join(copy, 'ledger.damaged'), '{}\n'));
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([
      expect.stringMatching(/ledger\.db was found damaged \(.*ledger\.damaged\): nothing is written to it until/),
    ]);
  });
});

test('a key that the service rotated to, and others may read, is a mistake: the start would go on and issue nothing', async () => {
  const path = join(folder, 'rotated');
  await mkdir(path, { mode: 0o700 });
  await writeFile(join(path, 'signing-key-2.pem'), generateKeyPem(), { mode: 0o644 });
  const problems = await problemsOf({ ECT_DATA_DIR: path });
  expect(problems).toEqual([expect.stringMatching(/signing-key-2\.pem .*chmod 600/)]);
});

describeWith('openssl', 'certificates', () => {
  test('A7 one that has expired is a mistake, beside those of settings and of other files', async () => {
    using ca = createCertificateAuthority();
    const { cert, key } = ca.issue({ days: -1 });
    const files = { ECT_TLS_CERT: cert, ECT_TLS_KEY: key, ECT_TLS_CLIENT_CA: 'no certificate' };
    const env: Record<string, string> = { ECT_STORE: 'memory', ECT_MAX_CONNECTIONS: 'many' };
    for (const [setting, text] of Object.entries(files)) {
      env[setting] = join(folder, setting);
      await writeFile(env[setting], text);
    }
    expect(await problemsOf(env)).toEqual([
      expect.stringMatching(/^ECT_MAX_CONNECTIONS must be/),
      expect.stringMatching(/^The certificate in the file of ECT_TLS_CERT expired at /),
      expect.stringMatching(/^The file of ECT_TLS_CLIENT_CA is not PEM/),
    ]);
  });
});

describeWhen(process.getuid?.() === 0, 'as a user of its own', 'the right to be another user', () => {
  test('S11 a volume of root: where it is to be made and where it is there, with the lines of the manifest', async () => {
    const volume = join(folder, 'volume');
    await chmod(folder, 0o755);
    await mkdir(volume);
    const problemsAsUser = async (path: string) => {
      const env = { PATH: process.env['PATH'], ECT_DATA_DIR: path };
      const options = { uid: 1000, gid: 1000, cwd: '/', env };
      const failed = await promisify(execFile)(process.execPath, [MAIN, 'config', 'check', '--json'], options).catch(
        (error: { readonly stdout: string }) => error,
      );
      return (JSON.parse(failed.stdout) as { readonly problems: readonly string[] }).problems;
    };
    const manifest = '\n  securityContext:\n    runAsUser: 1000\n    fsGroup: 1000';
    const pod = `in Kubernetes, give the volume to the group of the pod:${manifest}`;
    expect(await problemsAsUser(volume)).toEqual([
      `ECT_DATA_DIR: user 1000 may not write ${volume} (owner: user 0, mode 0755). Run chown -R 1000:1000 ${volume}; ${pod}`,
    ]);
    const below = join(volume, 'a/b');
    expect(await problemsAsUser(below)).toEqual([
      `ECT_DATA_DIR: user 1000 may not make ${below} in ${volume} (owner: user 0, mode 0755). ` +
        `Run mkdir -p ${below} and chown 1000:1000 ${below}; ${pod}`,
    ]);
    const ledger = join(volume, 'ledger.db');
    await writeFile(ledger, '', { mode: 0o600 });
    await chown(volume, 1000, 1000);
    await chown(ledger, 0, 1000);
    await chmod(ledger, 0o660);
    expect(await problemsAsUser(volume)).toEqual([
      `ECT_DATA_DIR: ${ledger} (owner: user 0, mode 0660) must belong to user 1000, who runs the service. ` +
        `Run chown -R 1000:1000 ${ledger}.`,
      expect.stringMatching(/ledger\.db is there but its key .* is not/),
    ]);
  });
});

describe('the command', () => {
  test('exits with 0 and shows the configuration, or with 2 and every mistake', async () => {
    await mkdir(join(folder, 'mine'), { mode: 0o700 });
    // Not the default port: a service may be running beside the tests.
    const listen = { ECT_LISTEN: '127.0.0.1:0' };
    const env = { ECT_DATA_DIR: join(folder, 'mine'), ECT_ISSUER: 'urn:example:mine', ...listen };
    const sound = await runMain(['config', 'check'], env);
    expect(sound).toMatchObject({ code: 0, stderr: '' });
    expect(sound.stdout).toMatch(/^✓ a service would start with this configuration\n/);
    expect(sound.stdout).toMatch(/^ {2}ECT_ISSUER +urn:example:mine$/m);
    expect(sound.stdout).toMatch(/^ {2}ECT_STORE +sqlite \(default\)$/m);
    expect((await stat(join(folder, 'mine'))).isDirectory()).toBe(true);
    expect(await readdir(join(folder, 'mine'))).toEqual([]);

    const wrong = await runMain(['config', 'check'], { ...env, ECT_STORE: 'paper', ECT_TRUST_FILE: '/nowhere/trust' });
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(
      /^✗ The configuration has 2 mistakes:\n {2}ECT_STORE must be .*\n {2}The file of ECT_TRUST_FILE cannot be read/,
    );

    const json = await runMain(['config', 'check', '--json'], { ...env, ECT_STORE: 'paper' });
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({ valid: false, problems: [expect.any(String)], settings: {} });

    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const busy = await runMain(['config', 'check'], { ...env, ECT_LISTEN: `127.0.0.1:${port}` });
    server.close();
    expect(busy).toMatchObject({ code: 0, stdout: expect.stringMatching(/^✓ no mistake, but see above\n/) });
    expect(busy.stderr).toMatch(/^! Another process uses 127\.0\.0\.1:\d+ now\./);
  });
});
