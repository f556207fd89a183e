import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { examineConfig, readConfig } from '../../src/config/index.ts';

const KEYS = { ECT_LOCAL_KEY_FILE: '/keys/signing.pem', ECT_LEDGER_KEY_FILE: '/keys/ledger.key' };
const ENV = { ECT_STORE: 'postgres', ECT_POSTGRES_URL: 'postgres://ada@db.example.org/ect', ...KEYS };

function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  return examineConfig(env).problems;
}

describe('the URL of the database', () => {
  const place = { host: 'db.example.org', port: 5432, others: [], database: 'ect', user: 'ada', isEncrypted: true };
  const other = { host: 'b.example.org', port: 5432 };
  test.each<[string, object]>([
    ['postgres://ada@db.example.org/ect', place],
    ['postgresql://ada@db.example.org:6432/ect', { ...place, port: 6432 }],
    ['postgres://ada@db.example.org/ect?sslmode=disable', { ...place, isEncrypted: false }],
    ['postgres://ada@127.0.0.1/ect', { ...place, host: '127.0.0.1', isEncrypted: false }],
    ['postgres://ada@[::1]/ect?sslmode=verify-full', { ...place, host: '::1' }],
    ['postgres://ada@[2001:db8::1]/ect', { ...place, host: '2001:db8::1' }],
    ['postgres:///ect?host=/run/postgresql&user=ada', { ...place, host: '/run/postgresql', isEncrypted: false }],
    ['postgres://a%40b@db.example.org/my%20db', { ...place, user: 'a@b', database: 'my db' }],
    ['postgres://ada@db.example.org,b.example.org/ect', { ...place, others: [other] }],
    [
      'postgres://ada@db.example.org:1,b.example.org,[::1]:2/ect?target_session_attrs=read-write',
      { ...place, port: 1, others: [other, { host: '::1', port: 2 }] },
    ],
    ['postgres://ada@db.example.org/ect?target_session_attrs=primary', place],
    [
      'postgres://ada@localhost:1,127.0.0.1:2/ect',
      { ...place, host: 'localhost', port: 1, others: [{ host: '127.0.0.1', port: 2 }], isEncrypted: false },
    ],
    // One that is elsewhere is enough: all are encrypted.
    ['postgres://ada@localhost,b.example.org/ect', { ...place, host: 'localhost', others: [other], isEncrypted: true }],
    [
      'postgres:///ect?host=/run/a,/run/b&user=ada',
      { ...place, host: '/run/a', others: [{ host: '/run/b', port: 5432 }], isEncrypted: false },
    ],
  ])('%s', (url, expected) => {
    expect(readConfig({ ...ENV, ECT_POSTGRES_URL: url }).postgres).toEqual({
      ...expected,
      password: undefined,
      caFile: undefined,
      pool: 8,
    });
  });

  test.each([
    'mysql://ada@db.example.org/ect',
    'db.example.org',
    'postgres://db.example.org/ect',
    'postgres://ada@db.example.org',
    'postgres://ada@db.example.org/a/b',
    'postgres://ada@a.example.org,b.example.org/ect?sslmode=require',
    'postgres://ada@db.example.org/ect?sslmode=prefer',
    'postgres://ada@db.example.org/ect?options=-c%20fsync=off',
    'postgres://ada@db.example.org/ect?host=/run/postgresql',
    'postgres://ada@db.example.org/ect?user=grace',
    'postgres:///ect?host=relative&user=ada',
    'postgres:///ect?host=/run/postgresql&user=ada&sslmode=verify-full',
    'postgres://%zz@db.example.org/ect',
    'postgres://ada@db.example.org/ect#x',
    'postgres://ada@db.example.org,/ect',
    'postgres://ada@,db.example.org/ect',
    'postgres://ada@a.example.org,,b.example.org/ect',
    'postgres://ada@a.example.org,a.example.org:5432/ect',
    'postgres://ada@a.example.org:0,b.example.org/ect',
    'postgres://ada@a.example.org:65536,b.example.org/ect',
    'postgres://ada@a.example.org:5432:5433/ect',
    'postgres://ada@a.example.org,grace@b.example.org/ect',
    'postgres://ada@a.example.org,%2Frun%2Fpostgresql/ect',
    'postgres:///ect?host=/run/a,relative&user=ada',
    'postgres:///ect?host=/run/a,&user=ada',
    'postgres:///ect?host=/run/a,/run/b&user=ada&sslmode=verify-full',
    'postgres://ada@a.example.org,b.example.org/ect?target_session_attrs=standby',
    'postgres://ada@a.example.org,b.example.org/ect?target_session_attrs=any',
    `postgres://ada@${Array.from({ length: 17 }, (_, n) => `h${n}.example.org`).join()}/ect`,
  ])('%s is rejected, and not repeated', (url) => {
    const problems = problemsOf({ ...ENV, ECT_POSTGRES_URL: url });
    expect(problems[0]).toMatch(/^ECT_POSTGRES_URL must be /);
    expect(problems.join()).not.toContain(url);
  });

  test('its password is shown nowhere', () => {
    const env = { ...ENV, ECT_POSTGRES_URL: 'postgres://ada:s3cret%2F@db.example.org/ect' };
    const { config, settings, problems } = examineConfig(env);
    expect(problems).toEqual([]);
    expect(settings.find(({ name }) => name === 'ECT_POSTGRES_URL')?.value).toBe('(set)');
    expect(inspect([config, settings], { depth: 9 }) + JSON.stringify([config, settings])).not.toContain('s3cret');
    const { password } = config.postgres ?? {};
    expect(password !== undefined && 'reveal' in password && password.reveal()).toBe('s3cret/');
  });
});

describe('what a shared store needs', () => {
  test('keys that all replicas have, a replay guard that they share, and no setting for files', () => {
    expect(problemsOf(ENV)).toEqual([]);
    expect(problemsOf({ ...ENV, ECT_LOCAL_KEY_FILE: '', ECT_LEDGER_KEY_FILE: '' })).toEqual([
      expect.stringContaining('`ect keygen --out signing-key.pem`'),
      expect.stringContaining('`ect keygen --ledger ledger.example/ect --out ledger.key`'),
    ]);
    expect(
      problemsOf({ ...ENV, ECT_LOCAL_KEY_FILE: '', ECT_SIGNER: 'kms', ECT_KMS_KEY: 'k', ECT_KMS_REGION: 'eu-west-1' }),
    ).toEqual([]);
    expect(problemsOf({ ...ENV, ECT_WORKERS: '2' })).toEqual([
      expect.stringMatching(/^ECT_WORKERS above 1 contradicts ECT_STORE=postgres: /),
    ]);
    expect(problemsOf({ ...ENV, ECT_JTI_REPLAY_CACHE_SIZE: '9' })).toEqual([
      expect.stringContaining('a token could be used once at each replica'),
    ]);
    expect(problemsOf({ ...ENV, ECT_LEDGER_SCRUB_PER_SEC: '9', ECT_MIN_FREE_DISK_MIB: '9' })).toHaveLength(2);
  });

  test('a URL, one password, and a CA only where there is TLS', () => {
    expect(problemsOf({ ECT_STORE: 'postgres', ...KEYS })).toEqual(['ECT_STORE=postgres needs ECT_POSTGRES_URL.']);
    const twice = { ...ENV, ECT_POSTGRES_URL: 'postgres://a:b@c/d', ECT_POSTGRES_PASSWORD_FILE: '/password' };
    expect(problemsOf(twice)).toEqual([expect.stringContaining('has a password')]);
    const plain = { ...ENV, ECT_POSTGRES_URL: 'postgres://a@localhost/d', ECT_POSTGRES_CA_FILE: '/ca.pem' };
    expect(problemsOf(plain)).toEqual([expect.stringContaining('sslmode=verify-full')]);
  });

  test('without it the settings of the database, and a given ledger key, would change nothing', () => {
    const { ECT_POSTGRES_URL, ECT_LEDGER_KEY_FILE } = ENV;
    const all = { ECT_POSTGRES_URL, ECT_POSTGRES_POOL: '9', ECT_LEDGER_KEY_FILE };
    expect(problemsOf(all)).toEqual(
      Object.keys(all).map((key) => `${key} needs ECT_STORE=postgres: set that, or remove ${key}.`),
    );
  });
});
