// Which settings say where the uses of tokens are remembered, and where Redis is.

import { isIPv4 } from 'node:net';
import type { PasswordSource } from './postgres.ts';
import type { SettingsReader } from './signer.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface RedisConfig {
  /** One server; any node of a cluster; or the master of that name, which Sentinels know. */
  readonly place:
    | ({ readonly kind: 'server' | 'cluster' } & Address)
    | { readonly kind: 'sentinel'; readonly sentinels: readonly Address[]; readonly master: string };
  /** The number of the database. */
  readonly database: number;
  readonly user: string | undefined;
  readonly password: PasswordSource | undefined;
  readonly sentinelPassword: PasswordSource | undefined;
  /** Whether the connection is encrypted; then the certificate of the server is verified. */
  readonly isEncrypted: boolean;
  /** PEM: the CA of the server, where it is none that Node.js trusts. */
  readonly caFile: string | undefined;
  /** What the names of all keys begin with. */
  readonly prefix: string;
}

const URL_RULE =
  'redis://user@host:port/number, or rediss:// for TLS, without parameters; with ECT_REDIS_SENTINELS the host is the name of the master';

const REDIS_KEYS = [
  'ECT_REDIS_URL',
  'ECT_REDIS_PASSWORD_FILE',
  'ECT_REDIS_CA_FILE',
  'ECT_REDIS_SENTINELS',
  'ECT_REDIS_SENTINEL_PASSWORD_FILE',
  'ECT_REDIS_CLUSTER',
  'ECT_REDIS_PREFIX',
];

/** What a URL says. */
interface Named extends Pick<RedisConfig, 'database' | 'user' | 'isEncrypted'> {
  readonly host: string;
  readonly port: number | undefined;
  readonly password: string;
}

const DEFAULT_PORT = 6379;
const SENTINEL_PORT = 26_379;

/** Reads the settings of Redis. `isWanted`: whether uses are remembered there. */
export function readRedis({ read, path, problem, needs }: SettingsReader, isWanted: boolean): RedisConfig | undefined {
  const named = read<Named | undefined>('ECT_REDIS_URL', undefined, URL_RULE, readUrl);
  const passwordFile = path('ECT_REDIS_PASSWORD_FILE');
  const caFile = path('ECT_REDIS_CA_FILE') || undefined;
  const sentinels = read<readonly Address[]>(
    'ECT_REDIS_SENTINELS',
    [],
    'a list of host:port with commas between them',
    readAddresses,
  );
  const sentinelPasswordFile = path('ECT_REDIS_SENTINEL_PASSWORD_FILE');
  const isCluster = read('ECT_REDIS_CLUSTER', 'no', 'yes or no', readYesNo) === 'yes';
  const prefix = read(
    'ECT_REDIS_PREFIX',
    'ect',
    '1 to 64 letters, digits, dots, colons, dashes or underscores',
    readPrefix,
  );
  if (!isWanted) {
    needs(REDIS_KEYS, 'ECT_REPLAY=redis');
    return undefined;
  }
  if (named === undefined) {
    problem('ECT_REPLAY=redis needs ECT_REDIS_URL.');
    return undefined;
  }
  const { host, port, password: inUrl, ...where } = named;
  if (inUrl !== '' && passwordFile !== '') {
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
    password: passwordFile !== '' ? { file: passwordFile } : inUrl === '' ? undefined : { reveal: () => inUrl },
    sentinelPassword: sentinelPasswordFile === '' ? undefined : { file: sentinelPasswordFile },
    caFile,
    prefix,
  };
}

/** What an operator is to be told at the start. */
export function redisWarnings({ redis }: { readonly redis: RedisConfig | undefined }): readonly string[] {
  if (redis === undefined || redis.isEncrypted) return [];
  const { place } = redis;
  const hosts = place.kind === 'sentinel' ? place.sentinels.map(({ host }) => host) : [place.host];
  if (hosts.every(isLoopback)) return [];
  return [
    'ECT_REDIS_URL begins with redis://, off loopback: everybody on the way can read the password, and have a used token accepted. Use rediss://.',
  ];
}

/** No parameter whose meaning would be guessed. */
function readUrl(text: string): Named | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  if ((protocol !== 'redis:' && protocol !== 'rediss:') || search + hash !== '') return undefined;
  const host = decoded(hostname.replace(/^\[|\]$/g, ''));
  const user = decoded(username);
  const secret = decoded(password);
  const number = /^\/?([0-9]{0,4})$/.exec(pathname)?.[1];
  if (!host || user === undefined || secret === undefined || number === undefined) return undefined;
  return {
    host,
    port: port === '' ? undefined : Number(port),
    database: Number(number),
    user: user === '' ? undefined : user,
    password: secret,
    isEncrypted: protocol === 'rediss:',
  };
}

function readAddresses(text: string): readonly Address[] | undefined {
  const addresses = text.split(',').map((part) => readAddress(part.trim()));
  return addresses.every((address) => address !== undefined) ? addresses : undefined;
}

function readAddress(text: string): Address | undefined {
  const [, ipv6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/.exec(text) ?? [];
  const host = ipv6 ?? name;
  const number = port === undefined ? SENTINEL_PORT : Number(port);
  return host === undefined || number < 1 || number > 65_535 ? undefined : { host, port: number };
}

function readYesNo(text: string): 'yes' | 'no' | undefined {
  return text === 'yes' || text === 'no' ? text : undefined;
}

/** No brace: they decide the slot of a key. */
function readPrefix(text: string): string | undefined {
  return /^[A-Za-z0-9._:-]{1,64}$/.test(text) ? text : undefined;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
