import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { examineConfig, readConfig } from '../../src/config/index.ts';
import { redisWarnings } from '../../src/config/redis.ts';

const ENV = { ECT_REPLAY: 'redis', ECT_REDIS_URL: 'rediss://cache.example.org' };

function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  return examineConfig(env).problems;
}

describe('the URL of Redis', () => {
  const plain = {
    place: { kind: 'server', host: 'cache.example.org', port: 6379 },
    database: 0,
    user: undefined,
    password: undefined,
    sentinelPassword: undefined,
    isEncrypted: true,
    caFile: undefined,
    prefix: 'ect',
  };
  test.each<[string, object]>([
    ['rediss://cache.example.org', plain],
    ['rediss://cache.example.org/', plain],
    [
      'rediss://ada@cache.example.org:6380/7',
      { ...plain, user: 'ada', database: 7, place: { ...plain.place, port: 6380 } },
    ],
    ['redis://[2001:db8::1]', { ...plain, isEncrypted: false, place: { ...plain.place, host: '2001:db8::1' } }],
  ])('%s', (url, expected) => {
    expect(readConfig({ ...ENV, ECT_REDIS_URL: url }).redis).toEqual(expected);
  });

  test.each([
    'http://cache.example.org',
    'cache.example.org',
    'redis:///0',
    'redis://cache.example.org/one',
    'redis://cache.example.org/1/2',
    'redis://cache.example.org?family=6',
    'redis://cache.example.org#x',
    'redis://%zz@cache.example.org',
    'unix:///run/redis.sock',
  ])('%s is rejected, and not repeated', (url) => {
    const problems = problemsOf({ ...ENV, ECT_REDIS_URL: url });
    expect(problems[0]).toMatch(/^ECT_REDIS_URL must be /);
    expect(problems.join()).not.toContain(url);
  });

  test('S1: its password is shown nowhere', () => {
    const { config, settings, problems } = examineConfig({
      ...ENV,
      ECT_REDIS_URL: 'rediss://ada:s3cret%2F@cache.example.org',
    });
    expect(problems).toEqual([]);
    expect(settings.find(({ name }) => name === 'ECT_REDIS_URL')?.value).toBe('(set)');
    expect(inspect([config, settings], { depth: 9 }) + JSON.stringify([config, settings])).not.toContain('s3cret');
    const { password } = config.redis ?? {};
    expect(password !== undefined && 'reveal' in password && password.reveal()).toBe('s3cret/');
  });

  test('in clear text off loopback it is warned of', () => {
    const warningsOf = (env: Readonly<Record<string, string>>) => redisWarnings(readConfig({ ...ENV, ...env }));
    expect(warningsOf({})).toEqual([]);
    expect(warningsOf({ ECT_REDIS_URL: 'redis://127.0.0.1' })).toEqual([]);
    expect(warningsOf({ ECT_REDIS_URL: 'redis://cache' })).toEqual([expect.stringContaining('rediss://')]);
    const sentinels = { ECT_REDIS_URL: 'redis://main', ECT_REDIS_SENTINELS: 'localhost:26379,a.example' };
    expect(warningsOf(sentinels)).toHaveLength(1);
  });
});

describe('where Redis is', () => {
  test('Sentinels know the master by the name that is the host in the URL', () => {
    const env = {
      ...ENV,
      ECT_REDIS_URL: 'rediss://my_master/2',
      ECT_REDIS_SENTINELS: 'a.example:5000, [::1]',
      ECT_REDIS_SENTINEL_PASSWORD_FILE: '/sentinel',
    };
    expect(readConfig(env).redis).toMatchObject({
      place: {
        kind: 'sentinel',
        master: 'my_master',
        sentinels: [
          { host: 'a.example', port: 5000 },
          { host: '::1', port: 26_379 },
        ],
      },
      database: 2,
      sentinelPassword: { file: '/sentinel' },
    });
    expect(problemsOf({ ...env, ECT_REDIS_URL: 'redis://main:6379' })).toEqual([
      expect.stringContaining('remove the port'),
    ]);
    expect(problemsOf({ ...env, ECT_REDIS_SENTINELS: 'a:0' })[0]).toMatch(/^ECT_REDIS_SENTINELS must be /);
    expect(problemsOf({ ...ENV, ECT_REDIS_SENTINEL_PASSWORD_FILE: '/x' })).toEqual([
      'ECT_REDIS_SENTINEL_PASSWORD_FILE needs ECT_REDIS_SENTINELS: set that, or remove ECT_REDIS_SENTINEL_PASSWORD_FILE.',
    ]);
  });

  test('a cluster has no Sentinels and one database', () => {
    expect(readConfig({ ...ENV, ECT_REDIS_CLUSTER: 'yes' }).redis?.place.kind).toBe('cluster');
    expect(problemsOf({ ...ENV, ECT_REDIS_CLUSTER: 'yes', ECT_REDIS_SENTINELS: 'a' })).toHaveLength(1);
    expect(problemsOf({ ...ENV, ECT_REDIS_CLUSTER: 'yes', ECT_REDIS_URL: 'rediss://c/1' })).toHaveLength(1);
  });

  test('a URL, one password, a CA only where there is TLS, and a prefix without braces', () => {
    expect(problemsOf({ ECT_REPLAY: 'redis' })).toEqual(['ECT_REPLAY=redis needs ECT_REDIS_URL.']);
    const twice = { ...ENV, ECT_REDIS_URL: 'rediss://a:b@c', ECT_REDIS_PASSWORD_FILE: '/password' };
    expect(problemsOf(twice)).toEqual([expect.stringContaining('has a password')]);
    const plain = { ...ENV, ECT_REDIS_URL: 'redis://localhost', ECT_REDIS_CA_FILE: '/ca.pem' };
    expect(problemsOf(plain)).toEqual([expect.stringContaining('rediss://')]);
    expect(problemsOf({ ...ENV, ECT_REDIS_PREFIX: 'a{b}' })[0]).toMatch(/^ECT_REDIS_PREFIX must be /);
  });
});

describe('ECT_REPLAY', () => {
  test('says where uses are remembered; the store’s own guard is the default', () => {
    const guardOf = (env: Readonly<Record<string, string>>) => readConfig(env).replay.guard;
    expect(guardOf({})).toBe('durable');
    expect(guardOf({ ECT_REPLAY: 'store' })).toBe('durable');
    expect(guardOf({ ECT_REPLAY: 'off' })).toBe('off');
    expect(guardOf(ENV)).toBe('redis');
    expect(guardOf({ ...ENV, ECT_WORKERS: '4' })).toBe('redis');
    expect(problemsOf({ ECT_REPLAY: 'postgres' })).toEqual(['ECT_REPLAY=postgres needs ECT_STORE=postgres.']);
    const shared = {
      ECT_STORE: 'postgres',
      ECT_POSTGRES_URL: 'postgres://ada@db.example.org/ect',
      ECT_LOCAL_KEY_FILE: '/keys/signing.pem',
      ECT_LEDGER_KEY_FILE: '/keys/ledger.key',
    };
    expect(guardOf({ ...shared, ECT_REPLAY: 'postgres' })).toBe('durable');
    expect(guardOf({ ...shared, ...ENV })).toBe('redis');
  });

  test('is one of two ways to say it, and not both at once', () => {
    for (const size of ['0', '9']) {
      expect(problemsOf({ ...ENV, ECT_JTI_REPLAY_CACHE_SIZE: size })).toEqual([expect.stringContaining('both set')]);
    }
  });

  test('without redis the settings of Redis would change nothing', () => {
    const all = { ECT_REDIS_URL: 'redis://localhost', ECT_REDIS_PREFIX: 'a', ECT_REDIS_CLUSTER: 'yes' };
    expect(problemsOf(all).toSorted()).toEqual(
      Object.keys(all)
        .map((key) => `${key} needs ECT_REPLAY=redis: set that, or remove ${key}.`)
        .toSorted(),
    );
  });
});
