// `ect config check` of a sound configuration: it finds nothing, changes nothing, and shows what counts.

import { once } from 'node:events';
import { chmod, readdir, readFile, stat } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkConfig } from '../../src/maintenance/config-check.ts';
import { ect } from '../cli/run.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { changedCopy, checkFolder, problemsOf } from './checked-data.ts';

let service: ServiceProcess;
let folder = '';

beforeAll(async () => {
  service = await startService();
  folder = await checkFolder();
});
afterAll(() => service[Symbol.asyncDispose]());

/** The data of the service as it is now, with something done to it. */
const dataWith = (name: string, change: (path: string) => Promise<unknown>) =>
  changedCopy(service.dataDir, join(folder, name), change);

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

  test('an address is tried as a start would: of an IPv6 one too, and the message about one that cannot be used names the setting', async () => {
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
      ECT_MAX_HELD_MIB: ['64', 'default'],
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
