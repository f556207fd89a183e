// Parses the URL of a PostgreSQL database as libpq does: `postgres://user@host:port,host:port/database`.

import { isIPv4 } from 'node:net';
import { Fault } from './fault.ts';

/** The address of a server. */
export interface ServerAddress {
  /** A host name, an IP address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
}

/** The parts of a URL. */
export interface PostgresPlace extends ServerAddress {
  /** Further servers. The primary is searched for among all servers, in this order. */
  readonly others: readonly ServerAddress[];
  readonly database: string;
  readonly user: string;
  /** Empty if there is none. */
  readonly password: string;
  /** Whether connections are encrypted; then the certificate of the server is verified. */
  readonly isEncrypted: boolean;
}

const MAX_SERVERS = 16;

export const POSTGRES_URL_RULE =
  'postgres://user@host:port/database, with ?sslmode=verify-full or disable where the default is not right, or ' +
  'postgres:///database?host=/directory&user=name for a Unix socket; several servers are separated by commas ' +
  `(host:port,host:port or host=/directory,/directory), each once and ${MAX_SERVERS} at most, and target_session_attrs can be read-write only`;

const PARAMETERS: readonly string[] = ['host', 'user', 'sslmode', 'target_session_attrs'];
const DEFAULT_PORT = 5432;

/** Matches the authority separately, because the URL standard has no list of hosts. */
const PARTS = /^(postgres(?:ql)?:\/\/)(?:([^/?#@]*)@)?([^/?#@]*)((?:[/?#].*)?)$/su;

/** Parses the URL. Returns a fault, or undefined, if it is invalid. Unknown parameters are rejected, not guessed. */
export function readPostgresUrl(text: string): PostgresPlace | Fault | undefined {
  const [, scheme, userInfo, hosts = '', rest = ''] = PARTS.exec(text) ?? [];
  if (scheme === undefined) return new Fault('it does not begin with postgres://');
  // The other parts are parsed together with the first host.
  const parsed = parse(`${scheme}${userInfo === undefined ? '' : `${userInfo}@`}${hosts.split(',')[0] ?? ''}${rest}`);
  if (parsed === undefined) return new Fault('a host or a port is not one');
  if (parsed.hash !== '') return undefined;
  const { username, password, pathname, searchParams } = parsed;
  const names = [...searchParams.keys()];
  if (names.some((name) => !PARAMETERS.includes(name))) {
    return new Fault(`it has another parameter than ${PARAMETERS.join(', ')}`);
  }
  if (new Set(names).size !== names.length) return new Fault('it has a parameter twice');
  const directories = searchParams.get('host');
  if (directories !== null && hosts !== '') return undefined;
  const servers = directories === null ? readHosts(hosts) : readDirectories(directories);
  const [first, ...others] = servers ?? [];
  if (first === undefined) return new Fault('a host or a port is not one');
  if (!isList([first, ...others])) return undefined;
  const user = searchParams.get('user') ?? decoded(username);
  const database = decoded(pathname.slice(1));
  const secret = decoded(password);
  if (user === '') return new Fault('the user is missing');
  if (database === '') return new Fault('the database is missing');
  if (!user || !database || secret === undefined || database.includes('/')) return undefined;
  if (searchParams.has('user') && username !== '') return undefined;
  // `primary` has the same meaning here, because this service never uses a standby.
  if (!['read-write', 'primary', null].includes(searchParams.get('target_session_attrs'))) return undefined;
  const isEncrypted = readEncryption(searchParams.get('sslmode'), [first, ...others]);
  if (isEncrypted === undefined)
    return new Fault('sslmode is not verify-full or disable, or the server is on a socket');
  return { ...first, others, database, user, password: secret, isEncrypted };
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function readHosts(hosts: string): readonly ServerAddress[] | undefined {
  const servers = hosts.split(',').map((part) => {
    const parsed = parse(`postgres://${part}/`);
    const host = decoded(parsed?.hostname.replace(/^\[|\]$/g, '') ?? '');
    return { host: host ?? '', port: parsed?.port ? Number(parsed.port) : DEFAULT_PORT };
  });
  return servers.every(({ host, port }) => host !== '' && port > 0) ? servers : undefined;
}

function readDirectories(text: string): readonly ServerAddress[] | undefined {
  const servers = text.split(',').map((host) => ({ host, port: DEFAULT_PORT }));
  return servers.every(isSocket) ? servers : undefined;
}

/** Whether all servers differ. A mixture of sockets and hosts is rejected, because only some connections would be encrypted. */
function isList(servers: readonly ServerAddress[]): boolean {
  const names = new Set(servers.map(({ host, port }) => `${host}:${port}`));
  const isMixed = servers.some(isSocket) && !servers.every(isSocket);
  return names.size === servers.length && servers.length <= MAX_SERVERS && !isMixed;
}

function readEncryption(sslmode: string | null, servers: readonly ServerAddress[]): boolean | undefined {
  if (servers.every(isSocket)) return sslmode === null || sslmode === 'disable' ? false : undefined;
  if (sslmode === null) return !servers.every(({ host }) => isLoopback(host));
  return sslmode === 'verify-full' ? true : sslmode === 'disable' ? false : undefined;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function isSocket({ host }: ServerAddress): boolean {
  return host.startsWith('/');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
