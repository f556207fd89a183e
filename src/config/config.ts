// The configuration of the service. A pure function converts the texts of the settings into a frozen Config.

import { administratorsOf } from './authorization.ts';
import { type BrowsersConfig, browsersConfig } from './browsers.ts';
import { type CallersConfig, callersConfig } from './callers.ts';
import type { ConfigFile } from './file.ts';
import { type KeysConfig, keysConfig } from './keys.ts';
import { type LimitsConfig, limitsConfig } from './limits.ts';
import { type PostgresConfig, postgresConfig } from './postgres.ts';
import { type RedisConfig, redisConfig } from './redis.ts';
import { type ReplayConfig, replayConfig } from './replay.ts';
import {
  type Effective,
  type Given,
  type Rules,
  readSettings,
  rulesOf,
  type Setting,
  type ValuesOf,
} from './setting.ts';
import { type SignerConfig, signerConfig } from './signer.ts';
import { type LedgerConfig, ledgerConfig, type WritesConfig } from './store.ts';
import { SETTINGS } from './table.ts';
import { provingSetting, type TlsConfig, tlsConfig } from './tls.ts';
import { type GraphConfig, type LevelsConfig, type TokenConfig, tokenConfig } from './tokens.ts';
import { type Address, isLoopback, path } from './types.ts';
import { type UnixConfig, unixConfig } from './unix-socket.ts';
import { unknownInEnvironment } from './unknown-setting.ts';
import { type WorkloadApiConfig, workloadApiConfig } from './workload-api.ts';

/** An invalid configuration. The message names settings and rules, never values, because a value may be a secret. */
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
  readonly listen: Address;
  /** A Unix socket instead of host and port. */
  readonly unix: UnixConfig | undefined;
  readonly tls: TlsConfig | undefined;
  /** The agent that provides certificate, key and CAs, instead of files. */
  readonly workloadApi: WorkloadApiConfig | undefined;
  readonly callers: CallersConfig;
  /** Whether callers may be anonymous even off loopback and without client certificates. */
  readonly allowAnonymous: boolean;
  /** The number of worker processes; `auto`: one for each core. */
  readonly workers: number | 'auto';
  /** The implementation of HTTP/2: that of this project, or that of Node. */
  readonly http2: 'engine' | 'node';
  readonly dataDir: string;
  readonly store: 'sqlite' | 'postgres' | 'memory';
  /** The database of the ledger, with the store `postgres`. */
  readonly postgres: PostgresConfig | undefined;
  /** The Redis server that stores uses of tokens, with the replay guard `redis`. */
  readonly redis: RedisConfig | undefined;
  readonly signer: SignerConfig;
  readonly keys: KeysConfig;
  readonly limits: LimitsConfig;
  readonly browsers: BrowsersConfig;
  readonly issuer: string;
  /** The SPIFFE IDs of the administrators, or `anonymous`. */
  readonly administrators: readonly string[];
  /** The files of the policy and its limits, if it is not the built-in one. */
  readonly policy: { readonly policyFile: string | undefined; readonly limitsFile: string | undefined };
  readonly graph: GraphConfig;
  readonly ledger: LedgerConfig;
  readonly token: TokenConfig;
  readonly levels: LevelsConfig;
  /** The file with foreign issuers and their keys. */
  readonly trustFile: string | undefined;
  readonly replay: ReplayConfig;
  readonly writes: WritesConfig;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

export type Env = Readonly<Record<string, string | undefined>>;

/** The result of reading the settings. If there are problems, `config` has the defaults of invalid settings. */
export interface ExaminedConfig {
  readonly config: Config;
  readonly problems: readonly string[];
  /** The names of settings that violate their own rule. */
  readonly wrong: ReadonlySet<string>;
  /** The files that settings name, by setting, whether or not `config` uses them. */
  readonly files: ReadonlyMap<string, string>;
  readonly settings: readonly Effective[];
}

/**
 * Reads the settings named ECT_… and reports all faults at once. An empty value counts as unset. The environment has precedence over the
 * file. Throws ConfigError.
 */
export function readConfig(env: Env, file?: ConfigFile): Config {
  const { config, problems } = examineConfig(env, file);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/**
 * Reads the settings for `ect config check`. It returns a configuration despite faults, so that the files can be checked too.
 * `configOption` is the path of the file if `--config` named it.
 */
export function examineConfig(env: Env, file?: ConfigFile, configOption?: string): ExaminedConfig {
  const given = (name: string): Given | undefined => {
    if (name === 'ECT_CONFIG' && configOption !== undefined) return { text: configOption, source: 'option', at: '' };
    const text = env[name] ?? '';
    return text === '' ? file?.settings.get(name) : { text, source: 'environment', at: '' };
  };
  const { values, effective, mistakes } = readSettings(SETTINGS, given);
  const problems = [...mistakes.values()];
  const rules = rulesOf(
    (name) => given(name) !== undefined,
    (sentence) => problems.push(sentence),
  );
  const config = configOf(values, rules);
  problems.push(...unknownInEnvironment(env, Object.keys(SETTINGS)), ...(file?.problems ?? []));
  const settings = effective.map((each) => replaced(each, given));
  const files = filesNamedIn(values, (name) => given(name) !== undefined);
  return { config: deepFreeze(config), problems, wrong: new Set(mistakes.keys()), files, settings };
}

/** Returns the files that given settings name to be read. The data directory is made if it is missing; a file of settings was read before. */
function filesNamedIn(
  values: ValuesOf<typeof SETTINGS>,
  isGiven: (name: string) => boolean,
): ReadonlyMap<string, string> {
  const names = Object.entries<Setting>(SETTINGS)
    .filter(([name, { type }]) => type === path && name !== 'ECT_DATA_DIR' && name !== 'ECT_CONFIG' && isGiven(name))
    .map(([name]) => [name, values[name as keyof typeof SETTINGS]] as const);
  return new Map(names.filter((named): named is [string, string] => typeof named[1] === 'string'));
}

/** Marks a setting that another setting replaces: it has no value of its own. */
function replaced(setting: Effective, given: (name: string) => Given | undefined): Effective {
  const cacheSize = 'ECT_JTI_REPLAY_CACHE_SIZE';
  if (setting.name !== 'ECT_REPLAY' || given(cacheSize) === undefined) return setting;
  return { ...setting, value: `as ${cacheSize} says` };
}

function configOf(values: ValuesOf<typeof SETTINGS>, rules: Rules): Config {
  const { ECT_LISTEN: where, ECT_STORE: store, ECT_WORKERS: workers, ECT_PUBLIC_URL: publicUrl } = values;
  const unix = unixConfig(values, rules, { path: 'path' in where ? where.path : undefined, workers });
  // Only processes of this machine can connect to a Unix socket.
  const listen = 'path' in where ? { host: 'localhost', port: 0 } : where;
  const isOnLoopback = isLoopback(listen.host);
  const tls = tlsConfig(values, rules);
  const workloadApi = workloadApiConfig(values, rules);
  const replay = replayConfig(values, rules, { store, workers });
  const callers = callersConfig(values, rules, {
    isOnLoopback,
    hasTls: tls !== undefined || workloadApi !== undefined,
    provedBy: provingSetting(values, workloadApi),
    unixCaller: unix?.caller,
    hasTrustFile: values.ECT_TRUST_FILE !== undefined,
    hasPublicUrl: publicUrl !== undefined,
    hasReplayGuard: replay.guard !== 'off',
  });
  const signer = signerConfig(values, rules);
  return {
    listen,
    unix,
    tls,
    workloadApi,
    callers,
    allowAnonymous: values.ECT_ALLOW_ANONYMOUS,
    workers,
    http2: values.ECT_HTTP2,
    dataDir: values.ECT_DATA_DIR,
    store,
    postgres: postgresConfig(values, rules, store === 'postgres'),
    redis: redisConfig(values, rules, values.ECT_REPLAY === 'redis'),
    signer,
    keys: keysConfig(values, rules, { signer, publicUrl }),
    limits: limitsConfig(values, rules),
    browsers: browsersConfig(values, { isOnLoopback, provesCallers: callers.areProven }),
    issuer: values.ECT_ISSUER,
    administrators: administratorsOf(values, rules, callers, isOnLoopback),
    policy: { policyFile: values.ECT_POLICY_FILE, limitsFile: values.ECT_POLICY_LIMITS },
    graph: { predecessorPolicy: values.ECT_PREDECESSOR_POLICY, reviewActions: values.ECT_REVIEW_ACTIONS },
    ledger: ledgerConfig(values, rules, { signer, workers }),
    token: tokenConfig(values, rules),
    levels: { minimum: values.ECT_MINIMUM_LEVEL, byAction: values.ECT_MINIMUM_LEVELS ?? {} },
    trustFile: values.ECT_TRUST_FILE,
    replay,
    writes: {
      callerMibPerHour: values.ECT_CALLER_WRITE_MIB_PER_HOUR,
      minFreeDiskMib: values.ECT_MIN_FREE_DISK_MIB,
    },
    logLevel: values.ECT_LOG_LEVEL,
  };
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) deepFreeze(member);
  return Object.freeze(value);
}
