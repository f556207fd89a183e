import { describe, expect, test } from 'vitest';
import { type Config, readConfig } from '../../src/config/index.ts';
import { CLIENT_TLS, PROXY, problemsOf, TLS } from './problems.ts';

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
    heldMib: 64,
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

describe('S10: what several workers could not share', () => {
  const memory = /^ECT_WORKERS above 1 contradicts ECT_STORE=memory: .* Remove ECT_WORKERS, or set ECT_STORE=sqlite\.$/;
  const guard = /^ECT_WORKERS above 1 contradicts ECT_JTI_REPLAY_CACHE_SIZE: .* Remove one of the two\.$/;

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
