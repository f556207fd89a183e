import { describe, expect, test } from 'vitest';
import { clientSettingWarnings } from '../../src/config/client-settings.ts';
import { type Config, ConfigError, examineConfig, readConfig } from '../../src/config/index.ts';
import { OTHER_NAMES } from '../../src/config/other-names.ts';
import { ALGORITHMS } from '../../src/keys/index.ts';

type Env = Readonly<Record<string, string | undefined>>;

function problemsOf(env: Env): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const TLS = { ECT_TLS_CERT: '/tls/cert.pem', ECT_TLS_KEY: '/tls/key.pem' };
const CLIENT_TLS = { ...TLS, ECT_TLS_CLIENT_CA: '/tls/ca.pem' };
const BUNDLES = { ...TLS, ECT_TLS_CLIENT_BUNDLES: 'example.org=/tls/org.pem, partner.example=/tls/partner.pem' };
const PROXY = 'spiffe://example.org/envoy';

const DEFAULTS: Config = {
  listen: { host: '127.0.0.1', port: 8080 },
  unix: undefined,
  tls: undefined,
  workloadApi: undefined,
  callers: { areProven: false, byJwt: false, byWit: false, forwarded: undefined },
  allowAnonymous: false,
  workers: 1,
  http2: 'engine',
  dataDir: './data',
  store: 'sqlite',
  postgres: undefined,
  redis: undefined,
  keys: {
    setMaxAgeSeconds: 300,
    refreshMs: 1000,
    rotationHours: 0,
    signing: 'direct',
    delegatedHours: 1,
    direct: { issuers: [], actions: [] },
    publicUrl: undefined,
  },
  limits: {
    connections: 2048,
    connectionsPerAddress: 1024,
    heldMib: 96,
    requestSeconds: 15,
    answerSeconds: 30,
    idleSeconds: 600,
    streams: 512,
  },
  browsers: { allowedOrigins: [], rejectsOthers: true, allowedHosts: [] },
  signer: { kind: 'local', keyFile: undefined, passphrase: undefined },
  issuer: 'urn:ect:dev',
  administrators: [],
  policy: { policyFile: undefined, limitsFile: undefined },
  graph: { predecessorPolicy: true, reviewActions: ['human_review'] },
  ledger: { keyFile: undefined, audience: '', scrubEntriesPerSecond: 200 },
  token: {
    defaultTtlSeconds: 600,
    maxAgeSeconds: 900,
    maxFutureSeconds: 30,
    drafts: ['00', '01'],
    algorithms: ['ES256'],
    ids: 'uuid',
  },
  levels: { minimum: 'L2', byAction: {} },
  trustFile: undefined,
  replay: { guard: 'durable', capacity: 0, ttlSeconds: 3600 },
  writes: { callerMibPerHour: 4096, minFreeDiskMib: undefined },
  logLevel: 'info',
};

describe('defaults', () => {
  test('an empty environment is a service for this machine alone', () => {
    expect(readConfig({})).toEqual(DEFAULTS);
  });

  test('an empty value counts as unset', () => {
    const keys = ['ECT_LISTEN', 'ECT_DATA_DIR', 'ECT_TLS_CERT', 'ECT_ALLOW_ANONYMOUS', 'ECT_JTI_REPLAY_CACHE_SIZE'];
    expect(readConfig(Object.fromEntries(keys.map((key) => [key, ''])))).toEqual(DEFAULTS);
  });

  test('what does not begin with ECT_, and what belongs to the client, is left alone', () => {
    const env = { HOME: '/', ect_listen: 'x', ECTOPLASM: 'x', ECT_URL: 'x', ECT_CA: 'x', ECT_CERT: 'x', ECT_KEY: 'x' };
    expect(readConfig({ ...env, PATH: undefined })).toEqual(DEFAULTS);
  });

  test('a configuration is frozen throughout', () => {
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(readConfig(CLIENT_TLS))).toBe(true);
  });
});

describe('settings', () => {
  test.each<[key: string, value: string, expected: Record<string, unknown>]>([
    ['ECT_LISTEN', '127.0.0.1:0', { listen: { host: '127.0.0.1', port: 0 } }],
    ['ECT_LISTEN', 'localhost:65535', { listen: { host: 'localhost', port: 65_535 } }],
    ['ECT_LISTEN', '[::1]:443', { listen: { host: '::1', port: 443 } }],
    ['ECT_DATA_DIR', '/var/lib/ect', { dataDir: '/var/lib/ect' }],
    ['ECT_HTTP2', 'node', { http2: 'node' }],
    ['ECT_WORKERS', '2', { workers: 2 }],
    ['ECT_WORKERS', '256', { workers: 256 }],
    ['ECT_WORKERS', 'auto', { workers: 'auto' }],
    ['ECT_STORE', 'memory', { store: 'memory' }],
    ['ECT_SIGNER', 'local', { signer: DEFAULTS.signer }],
    ['ECT_LOCAL_KEY_FILE', '/run/key.pem', { signer: { ...DEFAULTS.signer, keyFile: '/run/key.pem' } }],
    ['ECT_CALLER_WRITE_MIB_PER_HOUR', '0', { writes: { ...DEFAULTS.writes, callerMibPerHour: 0 } }],
    ['ECT_MIN_FREE_DISK_MIB', '0', { writes: { ...DEFAULTS.writes, minFreeDiskMib: 0 } }],
    ['ECT_ISSUER', 'spiffe://example.com/ect', { issuer: 'spiffe://example.com/ect' }],
    ['ECT_ISSUER', `urn:${'a'.repeat(1020)}`, { issuer: `urn:${'a'.repeat(1020)}` }],
    ['ECT_LEDGER_AUDIENCE', 'urn:ect:ledger', { ledger: { ...DEFAULTS.ledger, audience: 'urn:ect:ledger' } }],
    ['ECT_LEDGER_SCRUB_PER_SEC', '0', { ledger: { ...DEFAULTS.ledger, scrubEntriesPerSecond: 0 } }],
    ['ECT_ADMINS', 'anonymous', { administrators: ['anonymous'] }],
    ['ECT_PREDECESSOR_POLICY', 'off', { graph: { ...DEFAULTS.graph, predecessorPolicy: false } }],
    ['ECT_PREDECESSOR_POLICY', 'on', {}],
    ['ECT_REVIEW_ACTIONS', 'a, second look', { graph: { ...DEFAULTS.graph, reviewActions: ['a', 'second look'] } }],
    ['ECT_ALLOW_ANONYMOUS', 'yes', { allowAnonymous: true }],
    ['ECT_ALLOW_ANONYMOUS', 'no', { allowAnonymous: false }],
    ['ECT_MINIMUM_LEVEL', 'L1', { levels: { minimum: 'L1', byAction: {} } }],
    ['ECT_MINIMUM_LEVEL', 'L3', { levels: { minimum: 'L3', byAction: {} } }],
    [
      'ECT_MINIMUM_LEVELS',
      'execute_trade=L3, a=b=L1',
      { levels: { minimum: 'L2', byAction: { execute_trade: 'L3', 'a=b': 'L1' } } },
    ],
    ['ECT_DRAFTS', '01', { token: { ...DEFAULTS.token, drafts: ['01'] } }],
    ['ECT_DRAFTS', '01, 00', { token: { ...DEFAULTS.token, drafts: ['00', '01'] } }],
    [
      'ECT_ALGORITHMS',
      'PS256,EdDSA,Ed25519,ES384,ES256',
      { token: { ...DEFAULTS.token, algorithms: ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256'] } },
    ],
    ['ECT_UUIDS', 'off', { token: { ...DEFAULTS.token, ids: 'text' } }],
    ['ECT_UUIDS', 'strict', {}],
    ['ECT_TRUST_FILE', '/etc/ect/trust.json', { trustFile: '/etc/ect/trust.json' }],
    ['ECT_POLICY_FILE', '/etc/ect/p.cedar', { policy: { ...DEFAULTS.policy, policyFile: '/etc/ect/p.cedar' } }],
    ['ECT_POLICY_LIMITS', '/etc/ect/l.json', { policy: { ...DEFAULTS.policy, limitsFile: '/etc/ect/l.json' } }],
    ['ECT_MAX_CONNECTIONS', '101', { limits: { ...DEFAULTS.limits, connections: 101, connectionsPerAddress: 51 } }],
    ['ECT_MAX_HELD_MIB', '256', { limits: { ...DEFAULTS.limits, heldMib: 256 } }],
    ['ECT_REQUEST_TIMEOUT_SEC', '5', { limits: { ...DEFAULTS.limits, requestSeconds: 5 } }],
    ['ECT_LOG_LEVEL', 'silent', { logLevel: 'silent' }],
    ['ECT_LOG_LEVEL', 'debug', { logLevel: 'debug' }],
  ])('%s=%s', (key, value, expected) => {
    expect(readConfig({ [key]: value })).toEqual({ ...DEFAULTS, ...expected });
  });

  test('everybody is an administrator on loopback at most', () => {
    const env = { ECT_ADMINS: 'spiffe://example.com/a,anonymous', ECT_ALLOW_ANONYMOUS: 'yes' };
    expect(problemsOf({ ...env, ECT_LISTEN: '127.0.0.1:8080' })).toEqual([]);
    expect(problemsOf({ ...env, ECT_LISTEN: '0.0.0.0:8080' })).toEqual([
      expect.stringMatching(/^ECT_ADMINS=anonymous/),
    ]);
  });

  test('administrators are named by what their connections prove', () => {
    const names = ['spiffe://example.com/ops/a', 'spiffe://example.com/b'];
    expect(readConfig({ ...CLIENT_TLS, ECT_ADMINS: names.join(', ') }).administrators).toEqual(names);
  });

  test('S10 callers by WIMSE tokens need a file of issuers, the URL that proofs are for, and what remembers proofs', () => {
    const wits = { ECT_CALLER_WITS: 'yes', ECT_TRUST_FILE: '/trust.json', ECT_PUBLIC_URL: 'https://ect.example' };
    expect(problemsOf(wits)).toEqual([]);
    expect(readConfig(wits).callers).toEqual({ areProven: true, byJwt: false, byWit: true, forwarded: undefined });
    expect(problemsOf({ ECT_CALLER_WITS: 'yes' })).toEqual([
      'ECT_CALLER_WITS=yes needs ECT_TRUST_FILE, which names the issuers.',
      'ECT_CALLER_WITS=yes needs ECT_PUBLIC_URL: the aud of a proof begins with it.',
    ]);
    for (const off of [{ ECT_REPLAY: 'off' }, { ECT_JTI_REPLAY_CACHE_SIZE: '0' }]) {
      expect(problemsOf({ ...wits, ...off })).toEqual([
        expect.stringMatching(/^ECT_CALLER_WITS=yes needs a replay guard/),
      ]);
    }
    expect(problemsOf({ ...wits, ECT_LISTEN: '0.0.0.0:8443' })).toEqual([
      expect.stringMatching(/^ECT_CALLER_WITS=yes needs ECT_TLS_CERT and ECT_TLS_KEY/),
    ]);
    expect(problemsOf({ ...wits, ECT_ALLOW_ANONYMOUS: 'yes' })).toEqual([
      'ECT_ALLOW_ANONYMOUS=yes contradicts ECT_CALLER_WITS=yes: remove one of them.',
    ]);
  });

  test('S10 callers by JWT need a file that names issuers, TLS off loopback, and exclude anonymous ones', () => {
    const jwts = { ECT_CALLER_JWTS: 'yes', ECT_TRUST_FILE: '/trust.json' };
    expect(problemsOf(jwts)).toEqual([]);
    expect(problemsOf({ ...jwts, ...TLS, ECT_LISTEN: '0.0.0.0:8443' })).toEqual([]);
    expect(problemsOf({ ...jwts, ECT_ADMINS: 'spiffe://example.com/a' })).toEqual([]);
    expect(readConfig(jwts).callers).toEqual({ areProven: true, byJwt: true, byWit: false, forwarded: undefined });
    expect(problemsOf({ ECT_CALLER_JWTS: 'yes' })).toEqual([
      'ECT_CALLER_JWTS=yes needs ECT_TRUST_FILE, which names the issuers.',
    ]);
    expect(problemsOf({ ...jwts, ECT_LISTEN: '0.0.0.0:8443' })).toEqual([
      expect.stringMatching(
        /^ECT_CALLER_JWTS=yes needs ECT_TLS_CERT and ECT_TLS_KEY, or ECT_WORKLOAD_API, if ECT_LISTEN is not loopback/,
      ),
    ]);
    expect(problemsOf({ ...jwts, ECT_ALLOW_ANONYMOUS: 'yes' })).toEqual([
      'ECT_ALLOW_ANONYMOUS=yes contradicts ECT_CALLER_JWTS=yes: remove one of them.',
    ]);
    expect(problemsOf({ ...jwts, ECT_FORWARDED_BY: PROXY })).toEqual([
      expect.stringMatching(/^ECT_FORWARDED_BY needs ECT_TLS_CLIENT_CA, ECT_TLS_CLIENT_BUNDLES/),
    ]);
    expect(problemsOf({ ECT_TRUST_FILE: '/trust.json', ECT_LISTEN: '0.0.0.0:8443' })).toEqual([
      expect.stringContaining('ECT_CALLER_JWTS=yes with ECT_TRUST_FILE and TLS'),
    ]);
  });

  test('S10 administrators that nobody can be stop the start', () => {
    expect(problemsOf({ ECT_ADMINS: 'spiffe://example.com/a' })).toEqual([
      'ECT_ADMINS names SPIFFE IDs, which callers cannot prove: set ECT_TLS_CLIENT_CA, ECT_TLS_CLIENT_BUNDLES, ECT_WORKLOAD_API, ECT_CALLER_JWTS or ECT_CALLER_WITS too.',
    ]);
    expect(problemsOf({ ...CLIENT_TLS, ECT_ADMINS: 'anonymous' })).toEqual([
      expect.stringMatching(/^ECT_ADMINS=anonymous has no effect where every caller has an identity/),
    ]);
  });

  test.each([
    'somebody',
    'spiffe://example.com',
    'spiffe://example.com/',
    'a,',
    'spiffe://EXAMPLE.com/a',
    'https://a/b',
  ])('an administrator is named by a SPIFFE ID, not "%s"', (value) => {
    expect(problemsOf({ ECT_ADMINS: value })).toEqual([expect.stringMatching(/^ECT_ADMINS must be SPIFFE IDs/)]);
  });

  test('TLS, with and without the CA of the callers', () => {
    const tls = { certFile: '/tls/cert.pem', keyFile: '/tls/key.pem' };
    expect(readConfig(TLS).tls).toEqual({ ...tls, clientCaFile: undefined, clientBundles: [] });
    expect(readConfig(CLIENT_TLS).tls).toEqual({ ...tls, clientCaFile: '/tls/ca.pem', clientBundles: [] });
  });

  test.each([
    ['ECT_DEFAULT_EXPIRY_MIN', '1', { defaultTtlSeconds: 60 }],
    ['ECT_DEFAULT_EXPIRY_MIN', '1440', { defaultTtlSeconds: 86_400 }],
    ['ECT_IAT_MAX_AGE_MINUTES', '5', { maxAgeSeconds: 300 }],
    ['ECT_IAT_MAX_FUTURE_SEC', '0', { maxFutureSeconds: 0 }],
    ['ECT_IAT_MAX_FUTURE_SEC', '120', { maxFutureSeconds: 120 }],
  ])('the variable of the reference implementations keeps its meaning: %s=%s', (key, value, expected) => {
    expect(readConfig({ [key]: value }).token).toEqual({ ...DEFAULTS.token, ...expected });
  });

  test.each([
    [undefined, { guard: 'durable', capacity: 0 }],
    ['0', { guard: 'off', capacity: 0 }],
    ['1', { guard: 'bounded', capacity: 1 }],
    ['10000000', { guard: 'bounded', capacity: 10_000_000 }],
  ])('ECT_JTI_REPLAY_CACHE_SIZE=%s', (value, expected) => {
    expect(readConfig({ ECT_JTI_REPLAY_CACHE_SIZE: value }).replay).toMatchObject(expected);
  });

  test('ECT_JTI_REPLAY_TTL_MIN counts minutes', () => {
    expect(readConfig({ ECT_JTI_REPLAY_TTL_MIN: '10080' }).replay.ttlSeconds).toBe(604_800);
  });
});

describe('S10: levels', () => {
  test.each(['execute_trade', 'execute_trade=', 'execute_trade=L4', '=L3', 'a=L1,a=L2', 'a=L1,', 'a=l1'])(
    'ECT_MINIMUM_LEVELS=%s is a mistake',
    (value) => {
      expect(problemsOf({ ECT_MINIMUM_LEVELS: value })).toEqual([
        expect.stringMatching(/^ECT_MINIMUM_LEVELS must be /),
      ]);
    },
  );

  test('a level is one of three', () => {
    expect(problemsOf({ ECT_MINIMUM_LEVEL: 'L0' })).toEqual(['ECT_MINIMUM_LEVEL must be L1 or L2 or L3.']);
  });
});

describe('S10: who may call', () => {
  test.each(['127.0.0.1:8080', '127.1.2.3:8080', '127.255.255.255:0', 'localhost:8080', '[::1]:8080'])(
    '%s is reached from this machine only and needs no more',
    (address) => {
      expect(problemsOf({ ECT_LISTEN: address })).toEqual([]);
    },
  );

  test.each([
    '0.0.0.0:8080',
    '[::]:8080',
    '10.0.0.1:8080',
    '128.0.0.1:8080',
    '[2001:db8::1]:8080',
    '[::ffff:127.0.0.1]:8080',
    'ect.example.com:8080',
    'localhost.example.com:8080',
    '127.example.com:8080',
    '127.0.0.1.example.com:8080',
    '127.0.0.256:8080',
    '127.1:8080',
    '0:8080',
  ])('%s is rejected until callers are authenticated or the service is opened on purpose', (address) => {
    const [problem, ...more] = problemsOf({ ECT_LISTEN: address });
    expect(more).toEqual([]);
    const ways = ['ECT_TLS_CLIENT_CA', 'ECT_TLS_CLIENT_BUNDLES', 'ECT_FORWARDED_BY'];
    for (const key of ['ECT_LISTEN', 'ECT_TLS_CERT', 'ECT_TLS_KEY', ...ways, 'ECT_ALLOW_ANONYMOUS=yes']) {
      expect(problem).toContain(key);
    }
    expect(problemsOf({ ECT_LISTEN: address, ...TLS })).toEqual([problem]);
    expect(problemsOf({ ECT_LISTEN: address, ECT_ALLOW_ANONYMOUS: 'no' })).toEqual([problem]);
    for (const proven of [CLIENT_TLS, BUNDLES, { ...BUNDLES, ECT_FORWARDED_BY: PROXY }]) {
      expect(problemsOf({ ECT_LISTEN: address, ...proven })).toEqual([]);
    }
    expect(problemsOf({ ECT_LISTEN: address, ECT_ALLOW_ANONYMOUS: 'yes' })).toEqual([]);
  });

  test('authenticated callers and anonymous ones contradict each other', () => {
    expect(problemsOf({ ...CLIENT_TLS, ECT_ALLOW_ANONYMOUS: 'yes' })).toEqual([
      'ECT_ALLOW_ANONYMOUS=yes contradicts ECT_TLS_CLIENT_CA: remove one of them.',
    ]);
  });

  test('A8 CAs of several trust domains are told apart, and not mixed with one that vouches for all', () => {
    expect(readConfig(BUNDLES).tls?.clientBundles).toEqual([
      { trustDomain: 'example.org', file: '/tls/org.pem' },
      { trustDomain: 'partner.example', file: '/tls/partner.pem' },
    ]);
    expect(readConfig(BUNDLES).callers.areProven).toBe(true);
    expect(problemsOf({ ...BUNDLES, ...CLIENT_TLS })).toEqual([
      expect.stringMatching(/^ECT_TLS_CLIENT_BUNDLES and ECT_TLS_CLIENT_CA are both set/),
    ]);
    expect(problemsOf({ ...BUNDLES, ECT_ALLOW_ANONYMOUS: 'yes' })).toEqual([
      'ECT_ALLOW_ANONYMOUS=yes contradicts ECT_TLS_CLIENT_BUNDLES: remove one of them.',
    ]);
    expect(problemsOf({ ECT_TLS_CLIENT_BUNDLES: 'example.org=/a' })).toEqual([
      'ECT_TLS_CLIENT_BUNDLES needs ECT_TLS_CERT and ECT_TLS_KEY.',
    ]);
    const wrong = ['/a', '=/a', 'example.org', 'example.org=', 'Example.org=/a', 'a=/a,a=/b', 'a=/a,', 'spiffe://a=/a'];
    for (const value of [...wrong, 'a=-----BEGIN CERTIFICATE-----']) {
      expect(problemsOf({ ...TLS, ECT_TLS_CLIENT_BUNDLES: value }), value).toEqual([
        expect.stringMatching(/^ECT_TLS_CLIENT_BUNDLES must be trust domains/),
      ]);
    }
  });

  test('A4 a proxy that forwards an identity is named by its own, which it has to prove', () => {
    expect(readConfig({ ...BUNDLES, ECT_FORWARDED_BY: PROXY }).callers.forwarded).toEqual({
      proxies: [PROXY],
      header: 'x-forwarded-client-cert',
    });
    expect(problemsOf({ ECT_FORWARDED_BY: PROXY })).toEqual([
      'ECT_FORWARDED_BY needs ECT_TLS_CLIENT_CA, ECT_TLS_CLIENT_BUNDLES, ECT_WORKLOAD_API or ECT_UNIX_CALLER: a proxy is authenticated by its connection.',
    ]);
    expect(problemsOf({ ECT_FORWARDED_HEADER: 'l5d-client-id' })).toEqual([
      'ECT_FORWARDED_HEADER needs ECT_FORWARDED_BY.',
    ]);
    for (const header of ['X-Forwarded-Client-Cert', 'x-forwarded-user', 'x-spiffe-id', 'authorization']) {
      expect(problemsOf({ ...BUNDLES, ECT_FORWARDED_BY: PROXY, ECT_FORWARDED_HEADER: header })).toEqual([
        'ECT_FORWARDED_HEADER must be x-forwarded-client-cert or l5d-client-id.',
      ]);
    }
    for (const proxy of ['envoy', 'spiffe://example.org', `${PROXY}/`, `${PROXY},`, '*']) {
      expect(problemsOf({ ...BUNDLES, ECT_FORWARDED_BY: proxy })).toEqual([
        'ECT_FORWARDED_BY must be SPIFFE IDs of proxies separated by commas.',
      ]);
    }
    expect(problemsOf({ ...BUNDLES, ECT_FORWARDED_BY: PROXY, ECT_ADMINS: PROXY })).toEqual([
      'ECT_ADMINS names a proxy of ECT_FORWARDED_BY, which forwards for others and is never a caller itself.',
    ]);
  });

  test('a certificate without its key, a key without its certificate, and a CA alone are half a configuration', () => {
    const together = 'ECT_TLS_CERT and ECT_TLS_KEY must be set together.';
    expect(problemsOf({ ECT_TLS_CERT: '/c' })).toEqual([together]);
    expect(problemsOf({ ECT_TLS_KEY: '/k' })).toEqual([together]);
    expect(problemsOf({ ECT_TLS_CLIENT_CA: '/a' })).toEqual(['ECT_TLS_CLIENT_CA needs ECT_TLS_CERT and ECT_TLS_KEY.']);
  });
});

describe('S10: what several workers could not share', () => {
  const memory = /^ECT_WORKERS needs ECT_STORE=sqlite: /;
  const guard = /^ECT_WORKERS needs a replay guard that workers share.* ECT_JTI_REPLAY_CACHE_SIZE\.$/;

  test.each(['2', 'auto'])('a ledger or a replay guard in memory is rejected with ECT_WORKERS=%s', (ECT_WORKERS) => {
    expect(problemsOf({ ECT_WORKERS, ECT_STORE: 'memory' })).toEqual([expect.stringMatching(memory)]);
    expect(problemsOf({ ECT_WORKERS, ECT_JTI_REPLAY_CACHE_SIZE: '1000' })).toEqual([expect.stringMatching(guard)]);
  });

  test('no guard at all, or the durable one, goes with any number; and one worker with everything', () => {
    expect(problemsOf({ ECT_WORKERS: '2', ECT_JTI_REPLAY_CACHE_SIZE: '0' })).toEqual([]);
    expect(problemsOf({ ECT_WORKERS: '2' })).toEqual([]);
    const alone = { ECT_WORKERS: '1', ECT_STORE: 'memory', ECT_JTI_REPLAY_CACHE_SIZE: '1000' };
    expect(problemsOf(alone)).toEqual([]);
  });
});

describe('S10: mistakes', () => {
  test.each([
    [
      'ECT_LISTEN',
      ['8080', ':8080', 'localhost', 'localhost:', 'localhost:65536', 'localhost:-1', '::1:8080', '[::1]'],
    ],
    ['ECT_LISTEN', ['[zz]:1', '[::::]:1', '[127.0.0.1]:1', 'http://localhost:1', 'a b:1', 'localhost:080808', '🙂:1']],
    ['ECT_HTTP2', ['Node', '2', 'off']],
    ['ECT_WORKERS', ['0', '257', '-1', '1.5', 'Auto', 'all']],
    ['ECT_STORE', ['SQLITE', 'redis', ' memory']],
    ['ECT_SIGNER', ['aws', 'Local']],
    ['ECT_ALLOW_ANONYMOUS', ['true', 'YES', '1']],
    ['ECT_DRAFTS', ['02', '00,01,02', '00,00', ',', '00,', '1']],
    [
      'ECT_ALGORITHMS',
      ['none', 'ES256,none', 'ES256,HS256', 'HS512', 'es256', 'ES256,ES256', 'ES256,RS256', 'ES256;ES384'],
    ],
    ['ECT_UUIDS', ['on', 'STRICT', 'no']],
    ['ECT_TRUST_FILE', ['{"issuers":[]}']],
    ['ECT_LOG_LEVEL', ['verbose', 'INFO']],
    ['ECT_DEFAULT_EXPIRY_MIN', ['0', '1441', '-1', '1.5', '1e3', '0x10', ' 5', 'ten', '99999999999999999999']],
    ['ECT_IAT_MAX_AGE_MINUTES', ['0', '1441', 'NaN']],
    ['ECT_IAT_MAX_FUTURE_SEC', ['-1', '601', 'Infinity']],
    ['ECT_JTI_REPLAY_CACHE_SIZE', ['-1', '10000001', '1_000']],
    ['ECT_JTI_REPLAY_TTL_MIN', ['0', '10081']],
    ['ECT_MAX_CONNECTIONS', ['15', '1000001', 'many']],
    ['ECT_MAX_CONNECTIONS_PER_ADDRESS', ['0', '-1']],
    ['ECT_MAX_STREAMS', ['0', '100001']],
    ['ECT_MAX_HELD_MIB', ['31', '65537']],
    ['ECT_REQUEST_TIMEOUT_SEC', ['0', '61']],
    ['ECT_ANSWER_TIMEOUT_SEC', ['0', '601']],
    ['ECT_CALLER_WRITE_MIB_PER_HOUR', ['-1', '1048577', '1.5']],
    ['ECT_MIN_FREE_DISK_MIB', ['-1', '1048577', '5%']],
    ['ECT_LEDGER_SCRUB_PER_SEC', ['-1', '100001', '1.5']],
    ['ECT_ISSUER', ['ect', 'urn:', 'urn:a b', 'urn:ect:', 'https://example.com/', '1rn:a', `urn:${'a'.repeat(1021)}`]],
  ])('%s must not be any of %j', (key, values) => {
    for (const value of values) {
      const problems = problemsOf({ [key]: value });
      expect(problems, value).toHaveLength(1);
      expect(problems[0], value).toMatch(new RegExp(`^${key} must be .+\\.$`));
    }
  });

  test.each(['urn:é', 'urn:ect:{dev}', 'urn:ect:"dev"', 'urn:ect:a|b', 'urn:ect:\\', 'urn:ect:🙂'])(
    'an issuer that no token may carry is rejected at the start, not at the first token: %s',
    (issuer) => {
      expect(problemsOf({ ECT_ISSUER: issuer })).toHaveLength(1);
    },
  );

  test('the algorithm that signs cannot be left out, and what can be configured is what can be verified', () => {
    expect(problemsOf({ ECT_ALGORITHMS: 'ES384,PS256' })).toEqual([
      'ECT_ALGORITHMS must have ES256, with which this service signs.',
    ]);
    const all = [...ALGORITHMS.keys()];
    expect(readConfig({ ECT_ALGORITHMS: all.join() }).token.algorithms).toEqual(all);
  });

  test('S4: a key in place of the path of its file is rejected, before its path is shown as missing', () => {
    const keys = ['ECT_LOCAL_KEY_FILE', 'ECT_TLS_KEY', 'ECT_TLS_CERT', 'ECT_TLS_CLIENT_CA', 'ECT_DATA_DIR'];
    const contents = [
      '-----BEGIN PRIVATE KEY-----\\ncanary',
      '-----BEGIN EC KEY-----\ncanary',
      ' {"kty":"EC","d":"canary"}',
    ];
    for (const key of keys) {
      for (const content of contents) {
        const problems = problemsOf({ ...CLIENT_TLS, [key]: content });
        expect(problems[0]).toBe(`${key} must be the path of a file or directory, not its content.`);
        expect(problems.join()).not.toContain('canary');
      }
    }
  });

  test('a setting that does not exist is rejected: a misspelled one would be believed', () => {
    expect(problemsOf({ ECT_LISTENN: 'x', ECT_: 'x', ECT_data_dir: 'x', ECT_EMPTY: '' })).toEqual([
      'ECT_LISTENN is not a setting: did you mean ECT_LISTEN?',
      ...['ECT_', 'ECT_data_dir', 'ECT_EMPTY'].map((key) => `${key} is not a setting: see \`ect serve --help\`.`),
    ]);
  });

  test.each([
    ['ECT_PREDECESOR_POLICY', 'ECT_PREDECESSOR_POLICY'],
    ['ECT_LISTNE', 'ECT_LISTEN'],
    ['ECT_TLS_CLIENTCA', 'ECT_TLS_CLIENT_CA'],
    ['ECT_MINIMUM_LEVELL', 'ECT_MINIMUM_LEVEL'],
    ['ECT_ADMIN', 'ECT_ADMINS'],
  ])('%s is answered with the setting that it is nearest to', (key, meant) => {
    expect(problemsOf({ [key]: 'x' })).toEqual([`${key} is not a setting: did you mean ${meant}?`]);
  });

  test.each([
    ['ECT_PORT', 'ECT_LISTEN'],
    ['ECT_HOST', 'ECT_LISTEN'],
    ['ECT_ADDR', 'ECT_LISTEN'],
    ['ECT_LISTEN_ADDRESS', 'ECT_LISTEN'],
    ['ECT_TLS_CA', 'ECT_TLS_CLIENT_CA'],
    ['ECT_CLIENT_CA', 'ECT_TLS_CLIENT_CA'],
    ['ECT_TLS_KEY_FILE', 'ECT_TLS_KEY'],
    ['ECT_KEY_FILE', 'ECT_LOCAL_KEY_FILE'],
    ['ECT_DB', 'ECT_DATA_DIR'],
    ['ECT_LOGLEVEL', 'ECT_LOG_LEVEL'],
  ])('%s, as another program would call it, is answered with the setting of that meaning', (key, meant) => {
    expect(problemsOf({ [key]: 'x' })).toEqual([`${key} is not a setting: did you mean ${meant}?`]);
  });

  test('no name is answered with a setting of the client, which the service does not read', () => {
    for (const client of ['ECT_URL', 'ECT_CA', 'ECT_CERT', 'ECT_KEY']) {
      for (const letter of 'ABEKLRSTUXY_') {
        for (const key of [
          `${client}${letter}`,
          `${client.slice(0, -1)}${letter}`,
          `ECT_${letter}${client.slice(5)}`,
        ]) {
          if (['ECT_URL', 'ECT_CA', 'ECT_CERT', 'ECT_KEY'].includes(key)) continue;
          for (const problem of problemsOf({ [key]: 'x' }))
            expect(problem).not.toMatch(/mean ECT_(?:URL|CA|CERT|KEY)\?/);
        }
      }
    }
  });

  test('every other name of a setting leads to a setting that there is', () => {
    const settings = new Set(examineConfig({}).settings.map(({ name }) => name));
    for (const name of Object.keys(OTHER_NAMES)) expect(settings).toContain(name);
  });

  test('settings of the client beside a service in clear text are warned of, with those of the service', () => {
    const client = { ECT_CERT: 'c.pem', ECT_KEY: 'k.pem', ECT_CA: 'ca.pem', ECT_URL: 'https://ect.example' };
    const [warning, ...others] = clientSettingWarnings(client, readConfig(client));
    expect(others).toEqual([]);
    for (const pair of ['ECT_CERT (for the service: ECT_TLS_CERT)', 'ECT_KEY (for the service: ECT_TLS_KEY)']) {
      expect(warning).toContain(pair);
    }
    expect(warning).toContain('ECT_CA (for the service: ECT_TLS_CLIENT_CA)');
    expect(warning).not.toContain('c.pem');
    expect(clientSettingWarnings({ ECT_URL: 'x' }, readConfig({}))).toEqual([]);
    const both = { ...client, ECT_TLS_CERT: 'c', ECT_TLS_KEY: 'k' };
    expect(clientSettingWarnings(both, readConfig(both))).toEqual([]);
  });

  test('every mistake is reported at once', () => {
    const env = {
      ECT_LISTEN: 'nowhere',
      ECT_STORE: 'paper',
      ECT_SIGNER: 'pen',
      ECT_ISSUER: 'me',
      ECT_ALLOW_ANONYMOUS: 'maybe',
      ECT_TLS_CERT: '/c',
      ECT_LOG_LEVEL: 'loud',
      ECT_DEFAULT_EXPIRY_MIN: 'x',
      ECT_IAT_MAX_AGE_MINUTES: 'x',
      ECT_IAT_MAX_FUTURE_SEC: 'x',
      ECT_JTI_REPLAY_CACHE_SIZE: 'x',
      ECT_JTI_REPLAY_TTL_MIN: 'x',
      ECT_MISSPELLED: 'x',
    };
    const problems = problemsOf(env);
    expect(problems).toHaveLength(Object.keys(env).length);
    for (const key of Object.keys(env)) expect(problems.join('\n')).toContain(key);
    const message = new ConfigError(problems).message;
    expect(message).toMatch(/^The configuration has 13 mistakes:\n {2}/);
    for (const problem of problems) expect(message).toContain(problem);
  });

  test('one mistake is called one', () => {
    expect(() => readConfig({ ECT_STORE: 'paper' })).toThrow('The configuration has a mistake:\n  ECT_STORE must be');
  });

  test('S1: values are never shown, in whichever setting they are wrong', () => {
    const keys = ['LISTEN', 'STORE', 'SIGNER', 'ISSUER', 'ALLOW_ANONYMOUS', 'LOG_LEVEL', 'DEFAULT_EXPIRY_MIN'];
    keys.push('IAT_MAX_AGE_MINUTES', 'IAT_MAX_FUTURE_SEC', 'JTI_REPLAY_CACHE_SIZE', 'JTI_REPLAY_TTL_MIN');
    keys.push('TLS_CERT', 'TLS_KEY', 'TLS_CLIENT_CA', 'LOCAL_KEY_FILE', 'DATA_DIR', 'UNKNOWN');
    keys.push('DRAFTS', 'ALGORITHMS', 'UUIDS', 'TRUST_FILE');
    for (const key of keys) {
      const problems = problemsOf({ [`ECT_${key}`]: '{canary canary' });
      expect(problems.join(), key).toContain(`ECT_${key}`);
      expect(problems.join(), key).not.toContain('canary');
    }
  });
});
