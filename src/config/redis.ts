// The settings of Redis, which may store the uses of tokens.

import { type PasswordSource, passwordOf } from './postgres.ts';
import { REDIS_URL_RULE, type RedisUrl, readRedisUrl } from './redis-url.ts';
import type { Rules, Settings, ValuesOf } from './setting.ts';
import { type Address, either, entriesOf, isLoopback, parsed, path, readAddress, text } from './types.ts';

export interface RedisConfig extends Pick<RedisUrl, 'database' | 'user' | 'isEncrypted'> {
  /** One server; any node of a cluster; or the name of a master that Sentinels monitor. */
  readonly place:
    | ({ readonly kind: 'server' | 'cluster' } & Address)
    | { readonly kind: 'sentinel'; readonly sentinels: readonly Address[]; readonly master: string };
  readonly password: PasswordSource | undefined;
  readonly sentinelPassword: PasswordSource | undefined;
  /** The CA of the server in PEM, if Node.js does not trust it by default. */
  readonly caFile: string | undefined;
  /** The prefix of all keys. */
  readonly prefix: string;
}

const DEFAULT_PORT = 6379;
const SENTINEL_PORT = 26_379;

export const REDIS_SETTINGS = {
  ECT_REDIS_URL: {
    type: parsed('URL', REDIS_URL_RULE, readRedisUrl),
    meaning: 'with `ECT_REPLAY=redis`: `redis://user@host:port/number`, or `rediss://` for TLS, which is verified',
    secret: {
      says: 'a secret where it has a password',
      fileSetting: 'ECT_REDIS_PASSWORD_FILE',
      isIn: ({ password }: RedisUrl) => password !== '',
    },
  },
  ECT_REDIS_PASSWORD_FILE: { type: path, meaning: 'file with the password; it is read for each connection' },
  ECT_REDIS_CA_FILE: { type: path, unset: 'the CAs that Node.js trusts', meaning: 'PEM: the CA of Redis' },
  ECT_REDIS_SENTINELS: {
    type: parsed('list of host:port', 'a list of host:port separated by commas', readSentinels),
    meaning: 'addresses of Sentinels; the host in `ECT_REDIS_URL` is then the name of the master',
  },
  ECT_REDIS_SENTINEL_PASSWORD_FILE: { type: path, meaning: 'file with the password of the Sentinels' },
  ECT_REDIS_CLUSTER: {
    type: either('yes', 'no'),
    default: 'no',
    meaning: '`yes`: `ECT_REDIS_URL` is the address of a node of a cluster',
  },
  ECT_REDIS_PREFIX: {
    // No braces: they determine the slot of a key in a cluster.
    type: text('name', '1 to 64 letters, digits, dots, colons, dashes or underscores', /^[A-Za-z0-9._:-]{1,64}$/),
    default: 'ect',
    meaning: 'prefix of all keys; services that share a Redis need different prefixes',
  },
} satisfies Settings;

/** Returns the configuration; undefined if no Redis is named. `isWanted`: whether the replay guard is in Redis. */
export function redisConfig(
  values: ValuesOf<typeof REDIS_SETTINGS>,
  { problem, needs }: Rules,
  isWanted: boolean,
): RedisConfig | undefined {
  if (!isWanted) {
    needs(Object.keys(REDIS_SETTINGS), 'ECT_REPLAY=redis');
    return undefined;
  }
  if (values.ECT_REDIS_URL === undefined) {
    problem('ECT_REPLAY=redis needs ECT_REDIS_URL.');
    return undefined;
  }
  const { host, port, password: inUrl, ...where } = values.ECT_REDIS_URL;
  const sentinels = values.ECT_REDIS_SENTINELS ?? [];
  const isCluster = values.ECT_REDIS_CLUSTER;
  const passwordFile = values.ECT_REDIS_PASSWORD_FILE;
  const sentinelPasswordFile = values.ECT_REDIS_SENTINEL_PASSWORD_FILE;
  const caFile = values.ECT_REDIS_CA_FILE;
  if (inUrl !== '' && passwordFile !== undefined) {
    problem('ECT_REDIS_URL has a password, and ECT_REDIS_PASSWORD_FILE is set: remove the first.');
  }
  if (caFile !== undefined && !where.isEncrypted) {
    problem('ECT_REDIS_CA_FILE needs a connection with TLS: ECT_REDIS_URL must begin with rediss://.');
  }
  if (isCluster && sentinels.length > 0) problem('ECT_REDIS_CLUSTER=yes contradicts ECT_REDIS_SENTINELS: remove one.');
  if (isCluster && where.database !== 0) problem('ECT_REDIS_URL names a database, and a cluster has number 0 only.');
  if (sentinels.length > 0 && port !== undefined) {
    problem('With ECT_REDIS_SENTINELS the host in ECT_REDIS_URL is the name of the master: remove the port.');
  }
  if (sentinels.length === 0) needs(['ECT_REDIS_SENTINEL_PASSWORD_FILE'], 'ECT_REDIS_SENTINELS');
  return {
    place:
      sentinels.length > 0
        ? { kind: 'sentinel', sentinels, master: host }
        : { kind: isCluster ? 'cluster' : 'server', host, port: port ?? DEFAULT_PORT },
    ...where,
    password: passwordOf(passwordFile, inUrl),
    sentinelPassword: passwordOf(sentinelPasswordFile, ''),
    caFile,
    prefix: values.ECT_REDIS_PREFIX,
  };
}

/** Returns warnings for the operator, which are printed at the start. */
export function redisWarnings({ redis }: { readonly redis: RedisConfig | undefined }): readonly string[] {
  if (redis === undefined || redis.isEncrypted) return [];
  const { place } = redis;
  const hosts = place.kind === 'sentinel' ? place.sentinels.map(({ host }) => host) : [place.host];
  if (hosts.every(isLoopback)) return [];
  return [
    'ECT_REDIS_URL begins with redis://, off loopback: everybody on the way can read the password, and have a used token accepted. Use rediss://.',
  ];
}

function readSentinels(value: string): readonly Address[] | undefined {
  const addresses = entriesOf(value).map((entry) => readAddress(entry, { least: 1, port: SENTINEL_PORT }));
  return addresses.every((address) => address !== undefined) ? addresses : undefined;
}
