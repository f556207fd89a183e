// Parses the URL of a Redis server: `redis://user@host:port/number`, or `rediss://` for TLS.

import { Fault } from './fault.ts';

export const REDIS_URL_RULE =
  'redis://user@host:port/number, or rediss:// for TLS, without parameters; with ECT_REDIS_SENTINELS the host is the name of the master';

/** The parts of a URL. */
export interface RedisUrl {
  readonly host: string;
  readonly port: number | undefined;
  /** The number of the database. */
  readonly database: number;
  readonly user: string | undefined;
  /** Empty if there is none. */
  readonly password: string;
  /** Whether the connection is encrypted; then the certificate of the server is verified. */
  readonly isEncrypted: boolean;
}

/** Parses the URL. Returns a fault, or undefined, if it is invalid. Unknown parameters are rejected, not guessed. */
export function readRedisUrl(text: string): RedisUrl | Fault | undefined {
  if (!/^rediss?:\/\//i.test(text)) return new Fault('it does not begin with redis:// or rediss://');
  if (!URL.canParse(text)) return new Fault('the host or the port is not one');
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  if (search + hash !== '') return new Fault('it has parameters');
  const host = decoded(hostname.replace(/^\[|\]$/g, ''));
  const user = decoded(username);
  const secret = decoded(password);
  const number = /^\/?([0-9]{0,4})$/.exec(pathname)?.[1];
  if (host === '') return new Fault('the host is missing');
  if (number === undefined) return new Fault('the number of the database is not one');
  if (host === undefined || user === undefined || secret === undefined) return undefined;
  return {
    host,
    port: port === '' ? undefined : Number(port),
    database: Number(number),
    user: user === '' ? undefined : user,
    password: secret,
    isEncrypted: protocol === 'rediss:',
  };
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
