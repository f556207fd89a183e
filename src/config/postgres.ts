// Which settings say where the PostgreSQL database is, and how it is reached.

import { isIPv4 } from 'node:net';
import type { SettingsReader } from './signer.ts';

/** Where the password is. It is behind a function, so that nothing that prints a Config shows it. */
export type PasswordSource = { readonly file: string } | { readonly reveal: () => string };

export interface PostgresConfig {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: PasswordSource | undefined;
  /** Whether the connection is encrypted; then the certificate of the server is verified. */
  readonly isEncrypted: boolean;
  /** PEM: the CA of the server, where it is none that Node.js trusts. */
  readonly caFile: string | undefined;
  /** Connections of one process, at most. */
  readonly pool: number;
}

const URL_RULE =
  'postgres://user@host:port/database, with ?sslmode=verify-full or disable where the default is not right, or ' +
  'postgres:///database?host=/directory&user=name for a Unix socket';

const POSTGRES_KEYS = ['ECT_POSTGRES_URL', 'ECT_POSTGRES_PASSWORD_FILE', 'ECT_POSTGRES_CA_FILE', 'ECT_POSTGRES_POOL'];

/** What a URL says. */
interface Place extends Pick<PostgresConfig, 'host' | 'port' | 'database' | 'user' | 'isEncrypted'> {
  readonly password: string;
}

/** Reads the settings of the database; undefined where none is named. `isWanted`: whether the store is in one. */
export function readPostgres(
  { read, path, whole, problem, needs }: SettingsReader,
  isWanted: boolean,
): PostgresConfig | undefined {
  const place = read<Place | undefined>('ECT_POSTGRES_URL', undefined, URL_RULE, readUrl);
  const passwordFile = path('ECT_POSTGRES_PASSWORD_FILE');
  const caFile = path('ECT_POSTGRES_CA_FILE') || undefined;
  const pool = whole('ECT_POSTGRES_POOL', 8, 2, 200);
  if (!isWanted) {
    needs(POSTGRES_KEYS, 'ECT_STORE=postgres');
    return undefined;
  }
  if (place === undefined) {
    problem('ECT_STORE=postgres needs ECT_POSTGRES_URL.');
    return undefined;
  }
  const { password: inUrl, ...where } = place;
  if (inUrl !== '' && passwordFile !== '') {
    problem('ECT_POSTGRES_URL has a password, and ECT_POSTGRES_PASSWORD_FILE is set: remove the first.');
  }
  if (caFile !== undefined && !where.isEncrypted) {
    problem('ECT_POSTGRES_CA_FILE needs a connection with TLS: add sslmode=verify-full to ECT_POSTGRES_URL.');
  }
  const password = passwordFile !== '' ? { file: passwordFile } : inUrl === '' ? undefined : { reveal: () => inUrl };
  return { ...where, password, caFile, pool };
}

const PARAMETERS: readonly string[] = ['host', 'user', 'sslmode'];

/** One host, and no parameter whose meaning would be guessed. */
function readUrl(text: string): Place | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username, password, pathname, searchParams, hash } = new URL(text);
  if ((protocol !== 'postgres:' && protocol !== 'postgresql:') || hash !== '') return undefined;
  const names = [...searchParams.keys()];
  if (names.some((name) => !PARAMETERS.includes(name)) || new Set(names).size !== names.length) return undefined;
  const host = searchParams.get('host') ?? decoded(hostname.replace(/^\[|\]$/g, ''));
  const user = searchParams.get('user') ?? decoded(username);
  const database = decoded(pathname.slice(1));
  const secret = decoded(password);
  const sslmode = searchParams.get('sslmode');
  const isSocket = host?.startsWith('/') === true;
  if (!host || !user || !database || secret === undefined || database.includes('/')) return undefined;
  if (searchParams.has('host') && (hostname !== '' || !isSocket)) return undefined;
  if (searchParams.has('user') && username !== '') return undefined;
  if (sslmode !== null && sslmode !== 'disable' && (sslmode !== 'verify-full' || isSocket)) return undefined;
  const isEncrypted = sslmode === null ? !isSocket && !isLoopback(host) : sslmode === 'verify-full';
  return { host, port: port === '' ? 5432 : Number(port), database, user, password: secret, isEncrypted };
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
