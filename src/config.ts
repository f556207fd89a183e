// The configuration: every setting, its default and its rule. Pure: the environment comes in, a frozen Config goes out.

import { isIPv4, isIPv6 } from 'node:net';
import { type BrowsersConfig, readBrowsers } from './config/browsers.ts';
import { type BundleFile, type CallersConfig, readCallers } from './config/callers.ts';
import { CLIENT_SETTINGS } from './config/client-settings.ts';
import { type KeysConfig, readKeys } from './config/keys.ts';
import { type LimitsConfig, readLimits } from './config/limits.ts';
import { type PostgresConfig, readPostgres } from './config/postgres.ts';
import { type RedisConfig, readRedis } from './config/redis.ts';
import { serviceLinks } from './config/service-links.ts';
import { readSigner, type SignerConfig } from './config/signer.ts';
import { unknownSetting } from './config/unknown-setting.ts';
import { canBeAbove } from './token/index.ts';

/** A configuration that cannot be used. It names keys and rules, never values: a value may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}:\n${problems.map((line) => `  ${line}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

export interface Config {
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls:
    | {
        readonly certFile: string;
        readonly keyFile: string;
        /** CAs that vouch for callers of every trust domain. */
        readonly clientCaFile: string | undefined;
        /** Those of each trust domain, in its place. */
        readonly clientBundles: readonly BundleFile[];
      }
    | undefined;
  readonly callers: CallersConfig;
  /** Off loopback without client certificates: whoever reaches the port is served. */
  readonly allowAnonymous: boolean;
  /** Processes behind the port; `auto`: one for each core. */
  readonly workers: number | 'auto';
  /** What speaks HTTP/2: our engine, or Node's server. */
  readonly http2: 'engine' | 'node';
  readonly dataDir: string;
  readonly store: 'sqlite' | 'postgres' | 'memory';
  /** Where the ledger is, with the store `postgres`. */
  readonly postgres: PostgresConfig | undefined;
  /** Where uses of tokens are remembered, with the replay guard `redis`. */
  readonly redis: RedisConfig | undefined;
  readonly signer: SignerConfig;
  readonly keys: KeysConfig;
  readonly limits: LimitsConfig;
  readonly browsers: BrowsersConfig;
  readonly issuer: string;
  /** SPIFFE IDs of those who may call what is for administrators, or `anonymous`. */
  readonly administrators: readonly string[];
  /** What callers may do, where it is not what is built in. */
  readonly policy: { readonly policyFile: string | undefined; readonly limitsFile: string | undefined };
  readonly graph: {
    readonly predecessorPolicy: boolean;
    /** The `exec_act` that count as a human review. */
    readonly reviewActions: readonly string[];
  };
  readonly ledger: {
    /** The key of a ledger that several processes share; undefined: one is made in the data directory. */
    readonly keyFile: string | undefined;
    readonly audience: string;
    /** Entries that are read again and examined; 0: none. */
    readonly scrubEntriesPerSecond: number;
  };
  readonly token: {
    readonly defaultTtlSeconds: number;
    readonly maxAgeSeconds: number;
    readonly maxFutureSeconds: number;
    /** The drafts that are read. */
    readonly drafts: readonly ('00' | '01')[];
    /** The signature algorithms that are verified; ES256, which signs, always. */
    readonly algorithms: readonly string[];
    /** Whether `jti`, `wid` and `pred` must be UUIDs. */
    readonly ids: 'uuid' | 'text';
  };
  /** What verifiers take at least, unless a caller asks for more. */
  readonly levels: {
    readonly minimum: Level;
    /** Other minima, by `exec_act`. */
    readonly byAction: Readonly<Record<string, Level>>;
  };
  /** A file of foreign issuers and their keys. */
  readonly trustFile: string | undefined;
  readonly replay: {
    /** `durable`: in the store. `off`: no guard. `bounded`: in memory, at most `capacity` live tokens. `redis`: in Redis. */
    readonly guard: 'durable' | 'off' | 'bounded' | 'redis';
    readonly capacity: number;
    readonly ttlSeconds: number;
  };
  readonly writes: {
    /** What a caller may have written; 0: anything. */
    readonly callerMibPerHour: number;
    /** Below that much free space nothing is written for callers; undefined: a part of the file system. */
    readonly minFreeDiskMib: number | undefined;
  };
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

const LEVELS = ['L1', 'L2', 'L3'] as const;
type Level = (typeof LEVELS)[number];

/** One setting as it counts. */
export interface Setting {
  readonly name: string;
  /** `(set)` for a secret. */
  readonly value: string;
  readonly isDefault: boolean;
}

/** What an environment says. With problems, `config` has the defaults in their places. */
export interface ExaminedConfig {
  readonly config: Config;
  readonly problems: readonly string[];
  readonly settings: readonly Setting[];
}

/** Reads the settings named ECT_… and reports every mistake at once. An empty value counts as unset. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const { config, problems } = examineConfig(env);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The same for a check: with mistakes it goes on, so that files can be looked at too. */
export function examineConfig(env: Readonly<Record<string, string | undefined>>): ExaminedConfig {
  const problems: string[] = [];
  const settings = new Map<string, Setting>();
  const seen = new Set<string>();

  function read<T>(key: string, fallback: T, rule: string, parse: (text: string) => T | undefined): T {
    seen.add(key);
    const text = env[key];
    settings.set(key, settingOf(key, text, fallback));
    if (text === undefined || text === '') return fallback;
    const value = parse(text);
    if (value === undefined) problems.push(`${key} must be ${rule}.`);
    return value ?? fallback;
  }
  const text = (key: string, fallback = '') => read(key, fallback, 'a text', (value) => value);
  const choice = <const C extends string>(key: string, choices: readonly C[], fallback: C) =>
    read(key, fallback, choices.join(' or '), (value) => choices.find((candidate) => candidate === value));
  const several = <const C extends string>(key: string, choices: readonly C[], fallback: readonly C[]) =>
    read(key, fallback, `a list with commas of ${choices.join(', ')}`, (value) => readSeveral(value, choices));
  const path = (key: string, fallback = '') =>
    read(key, fallback, 'the path of a file or directory, not its content', readPath);
  const whole = (key: string, fallback: number, least: number, most: number) =>
    read(key, fallback, `a whole number from ${least} to ${most}`, (value) => wholeNumber(value, least, most));

  const listen = read(
    'ECT_LISTEN',
    { host: '127.0.0.1', port: 8080 },
    'host:port, for example 127.0.0.1:8080',
    readAddress,
  );
  const certFile = path('ECT_TLS_CERT');
  const keyFile = path('ECT_TLS_KEY');
  if ((certFile === '') !== (keyFile === '')) problems.push('ECT_TLS_CERT and ECT_TLS_KEY must be set together.');
  const problem = (sentence: string) => problems.push(sentence);
  const needs = (keys: readonly string[], setting: string) => {
    for (const key of keys) if ((env[key] ?? '') !== '') problem(`${key} needs ${setting}.`);
  };
  const reader = { read, path, whole, problem, needs };
  const isOnLoopback = isLoopback(listen.host);
  const trustFile = path('ECT_TRUST_FILE') || undefined;
  const surroundings = { hasTls: certFile !== '', isOnLoopback, hasTrustFile: trustFile !== undefined };
  const callers = readCallers(reader, surroundings);
  const { clientCaFile, clientBundles, allowAnonymous, administrators, areProven, byJwt, forwarded } = callers;

  const replay = choice('ECT_REPLAY', ['store', 'postgres', 'redis', 'off'], 'store');
  const replaySize = read('ECT_JTI_REPLAY_CACHE_SIZE', -1, 'a whole number from 0 to 10000000', (value) =>
    wholeNumber(value, 0, 1e7),
  );
  const workers = read<number | 'auto'>('ECT_WORKERS', 1, 'auto or a whole number from 1 to 256', (value) =>
    value === 'auto' ? value : wholeNumber(value, 1, 256),
  );
  const store = choice('ECT_STORE', ['sqlite', 'postgres', 'memory'], 'sqlite');
  if (workers !== 1 && store === 'memory') {
    problems.push('ECT_WORKERS needs ECT_STORE=sqlite: in memory every worker would keep a ledger of its own.');
  }
  if (workers !== 1 && replaySize > 0) {
    problems.push(
      'ECT_WORKERS needs a replay guard that workers share, or a token could be used once at each: ' +
        'unset ECT_JTI_REPLAY_CACHE_SIZE.',
    );
  }
  const signer = readSigner(reader);
  const postgres = readPostgres(reader, store === 'postgres');
  const redis = readRedis(reader, replay === 'redis');
  if (replay === 'postgres' && store !== 'postgres') problem('ECT_REPLAY=postgres needs ECT_STORE=postgres.');
  if (replaySize >= 0 && (env['ECT_REPLAY'] ?? '') !== '') {
    problem('ECT_REPLAY and ECT_JTI_REPLAY_CACHE_SIZE are both set: remove the second.');
  }
  const ledgerKeyFile = path('ECT_LEDGER_KEY_FILE') || undefined;
  if (store === 'postgres') {
    for (const sentence of sharedStoreProblems(signer, ledgerKeyFile)) problem(sentence);
    if (workers !== 1) problem('ECT_WORKERS needs ECT_STORE=sqlite: with ECT_STORE=postgres start more replicas.');
    if (replaySize > 0) {
      problem(
        'ECT_STORE=postgres needs a replay guard that replicas share, or a token could be used once at each: ' +
          'unset ECT_JTI_REPLAY_CACHE_SIZE.',
      );
    }
    needs(['ECT_LEDGER_SCRUB_PER_SEC', 'ECT_MIN_FREE_DISK_MIB'], 'ECT_STORE=sqlite');
  } else {
    needs(['ECT_LEDGER_KEY_FILE'], 'ECT_STORE=postgres');
  }
  const config: Config = {
    listen,
    tls: certFile === '' ? undefined : { certFile, keyFile, clientCaFile, clientBundles },
    callers: { areProven, byJwt, forwarded },
    allowAnonymous,
    workers,
    http2: choice('ECT_HTTP2', ['engine', 'node'], 'engine'),
    dataDir: path('ECT_DATA_DIR', './data'),
    store,
    postgres,
    redis,
    signer,
    keys: readKeys(reader, signer),
    limits: readLimits(reader),
    browsers: readBrowsers(reader, { isOnLoopback, provesCallers: areProven }),
    issuer: read(
      'ECT_ISSUER',
      'urn:ect:dev',
      'an absolute URI that ends in a name, without blanks, query, fragment, escapes, dot or empty segments, at most 1,024 bytes',
      readUri,
    ),
    administrators,
    policy: {
      policyFile: path('ECT_POLICY_FILE') || undefined,
      limitsFile: path('ECT_POLICY_LIMITS') || undefined,
    },
    graph: {
      predecessorPolicy: choice('ECT_PREDECESSOR_POLICY', ['on', 'off'], 'on') === 'on',
      reviewActions: read(
        'ECT_REVIEW_ACTIONS',
        ['human_review'],
        'names of actions with commas between them',
        readList(/^[^\p{Cc}\p{Cs}]{1,256}$/u),
      ),
    },
    ledger: {
      keyFile: ledgerKeyFile,
      audience: text('ECT_LEDGER_AUDIENCE'),
      scrubEntriesPerSecond: whole('ECT_LEDGER_SCRUB_PER_SEC', 200, 0, 100_000),
    },
    token: {
      defaultTtlSeconds: 60 * whole('ECT_DEFAULT_EXPIRY_MIN', 10, 1, 1440),
      maxAgeSeconds: 60 * whole('ECT_IAT_MAX_AGE_MINUTES', 15, 1, 1440),
      maxFutureSeconds: whole('ECT_IAT_MAX_FUTURE_SEC', 30, 0, 600),
      drafts: several('ECT_DRAFTS', ['00', '01'], ['00', '01']),
      algorithms: readAlgorithms(several('ECT_ALGORITHMS', ALGORITHMS, ['ES256']), problems),
      ids: choice('ECT_UUIDS', ['strict', 'off'], 'strict') === 'strict' ? 'uuid' : 'text',
    },
    levels: {
      minimum: choice('ECT_MINIMUM_LEVEL', LEVELS, 'L2'),
      byAction: read(
        'ECT_MINIMUM_LEVELS',
        {},
        'a list of exec_act=level with levels L1, L2 or L3 and each exec_act once, for example execute_trade=L3,ping=L1',
        readLevels,
      ),
    },
    trustFile,
    replay: {
      guard: guardOf(replay, replaySize),
      capacity: Math.max(replaySize, 0),
      ttlSeconds: 60 * whole('ECT_JTI_REPLAY_TTL_MIN', 60, 1, 10_080),
    },
    writes: {
      callerMibPerHour: whole('ECT_CALLER_WRITE_MIB_PER_HOUR', 4096, 0, 1 << 20),
      minFreeDiskMib: read<number | undefined>(
        'ECT_MIN_FREE_DISK_MIB',
        undefined,
        'a whole number from 0 to 1048576',
        (value) => wholeNumber(value, 0, 1 << 20),
      ),
    },
    logLevel: choice('ECT_LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
  };
  const links = serviceLinks(env);
  for (const key of Object.keys(env)) {
    if (!key.startsWith('ECT_') || seen.has(key) || CLIENT_SETTINGS.has(key) || links.has(key)) continue;
    problems.push(unknownSetting(key, seen));
  }
  return { config: deepFreeze(config), problems, settings: [...settings.values()] };
}

/** Values that nobody is to be shown. */
const SECRET_KEYS: ReadonlySet<string> = new Set(['ECT_LOCAL_KEY_PASSPHRASE', 'ECT_POSTGRES_URL', 'ECT_REDIS_URL']);

/** Which guard two settings ask for together: the size of the cache is that of the reference implementations. */
function guardOf(replay: 'store' | 'postgres' | 'redis' | 'off', size: number): Config['replay']['guard'] {
  if (replay === 'redis') return 'redis';
  if (replay === 'off' || size === 0) return 'off';
  return size < 0 ? 'durable' : 'bounded';
}

/** Keys that a process makes for itself are no keys of the others: each would sign what they call forged. */
function sharedStoreProblems(signer: SignerConfig, ledgerKeyFile: string | undefined): readonly string[] {
  const problems: string[] = [];
  if (signer.kind === 'local' && signer.keyFile === undefined) {
    problems.push(
      'ECT_STORE=postgres needs a signing key that all replicas have: `ect keygen --out signing-key.pem` makes one; ' +
        'give each replica that file, under one path, as ECT_LOCAL_KEY_FILE. Or set ECT_SIGNER=kms.',
    );
  }
  if (ledgerKeyFile === undefined) {
    problems.push(
      'ECT_STORE=postgres needs a ledger key that all replicas have: `ect keygen --ledger ledger.example/ect --out ledger.key` ' +
        'makes one; give each replica that file as ECT_LEDGER_KEY_FILE.',
    );
  }
  return problems;
}

function settingOf(name: string, text: string | undefined, fallback: unknown): Setting {
  if (text === undefined || text === '') return { name, value: defaultText(name, fallback), isDefault: true };
  return { name, value: SECRET_KEYS.has(name) ? '(set)' : text, isDefault: false };
}

/** What counts where a setting has no value of its own, and nothing is not what counts. */
const DEFAULTS: Readonly<Record<string, string>> = {
  ECT_JTI_REPLAY_CACHE_SIZE: 'as ECT_REPLAY says',
  ECT_MIN_FREE_DISK_MIB: '512, or a tenth of the disk',
  ECT_PUBLIC_URL: 'where it listens',
};

/** A default as one would write it. */
function defaultText(name: string, value: unknown): string {
  if (value === undefined || value === '' || value === -1) return DEFAULTS[name] ?? 'none';
  if (typeof value === 'number' || typeof value === 'string') return `${value}`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if ('host' in value && 'port' in value) return `${String(value.host)}:${String(value.port)}`;
  const items = Array.isArray(value) ? value : Object.entries(value).map((pair) => pair.join('='));
  return items.length === 0 ? 'none' : items.join(',');
}

function readAddress(text: string): { host: string; port: number } | undefined {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/.exec(text);
  const [, ipv6, name, portText = ''] = parts ?? [];
  const port = wholeNumber(portText, 0, 65_535);
  const host = ipv6 === undefined ? name : isIPv6(ipv6) ? ipv6 : undefined;
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** `exec_act=level` pairs. The name goes up to the last `=`; it may not have a comma. */
function readLevels(text: string): Readonly<Record<string, Level>> | undefined {
  const levels = new Map<string, Level>();
  for (const item of text.split(',')) {
    const [, execAct = '', name] = /^(.+)=(.*)$/.exec(item.trim()) ?? [];
    const level = LEVELS.find((candidate) => candidate === name);
    if (level === undefined || levels.has(execAct)) return undefined;
    levels.set(execAct, level);
  }
  return Object.fromEntries(levels);
}

/** Names are not resolved here, so only `localhost` and literal loopback addresses count. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** What can be configured: never `none` and never an HMAC, which everybody who verifies could also sign with. */
const ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256'] as const;

function readAlgorithms(algorithms: readonly string[], problems: string[]): readonly string[] {
  if (!algorithms.includes('ES256')) problems.push('ECT_ALGORITHMS must have ES256, with which this service signs.');
  return algorithms;
}

/** Each at most once, in any order. */
function readSeveral<C extends string>(text: string, choices: readonly C[]): readonly C[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  const found = choices.filter((choice) => names.includes(choice));
  return found.length === names.length ? found : undefined;
}

/**
 * A name below which others are formed: it ends in a name itself, and has nothing that two readers of URIs could resolve to
 * different places (a query or fragment, `%`, `;`, dot segments, empty segments); of the scheme spiffe it is a SPIFFE ID.
 */
function readUri(text: string): string | undefined {
  const uri = /^[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/)?[A-Za-z0-9\-._~:/@!$&'()*+,=]+$/;
  const isPlain = uri.test(text) && !/[:/]\.{0,2}(?:[:/]|$)/.test(text.replace('://', ':'));
  return text.length <= 1024 && isPlain && canBeAbove(text) ? text : undefined;
}

/** Entries with commas between them; blanks around an entry are no part of it. */
function readList(entry: RegExp): (text: string) => string[] | undefined {
  return (text) => {
    const entries = text.split(',').map((part) => part.trim());
    return entries.every((part) => entry.test(part)) ? entries : undefined;
  };
}

/** A key that is given itself, in place of its file, would be shown by the error that its file is not there. */
function readPath(text: string): string | undefined {
  return /\p{Cc}|-----BEGIN|^\s*\{/u.test(text) ? undefined : text;
}

function wholeNumber(text: string, least: number, most: number): number | undefined {
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) deepFreeze(member);
  return Object.freeze(value);
}
