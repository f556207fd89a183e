// The settings of the PostgreSQL database: its address and how to connect to it.

import { POSTGRES_URL_RULE, type PostgresPlace, readPostgresUrl } from './postgres-url.ts';
import type { Rules, Settings, ValuesOf } from './setting.ts';
import { parsed, path, whole } from './types.ts';

/** The source of the password. It is a function, so that a printed Config does not show it. */
export type PasswordSource = { readonly file: string } | { readonly reveal: () => string };

export interface PostgresConfig extends Omit<PostgresPlace, 'password'> {
  readonly password: PasswordSource | undefined;
  /** The CA of the server in PEM, if Node.js does not trust it by default. */
  readonly caFile: string | undefined;
  /** The maximum number of connections of one process. */
  readonly pool: number;
}

export const POSTGRES_SETTINGS = {
  ECT_POSTGRES_URL: {
    type: parsed('URL', POSTGRES_URL_RULE, readPostgresUrl),
    meaning:
      'with `ECT_STORE=postgres`: `postgres://user@host:port/database`, TLS verified off loopback; [several servers](docs/operating.md#replicas-over-postgresql) as `host:port,host:port`',
    secret: {
      says: 'a secret where it has a password',
      fileSetting: 'ECT_POSTGRES_PASSWORD_FILE',
      isIn: ({ password }: PostgresPlace) => password !== '',
    },
  },
  ECT_POSTGRES_PASSWORD_FILE: { type: path, meaning: 'file with the password; it is read for each connection' },
  ECT_POSTGRES_CA_FILE: {
    type: path,
    unset: 'the CAs that Node.js trusts',
    meaning: 'PEM: the CA of the database server',
  },
  ECT_POSTGRES_POOL: { type: whole(2, 200), default: '8', meaning: 'connections of one process to the database' },
} satisfies Settings;

/** Returns the configuration; undefined if no database is named. `isWanted`: whether the store is in a database. */
export function postgresConfig(
  values: ValuesOf<typeof POSTGRES_SETTINGS>,
  { problem, needs }: Rules,
  isWanted: boolean,
): PostgresConfig | undefined {
  if (!isWanted) {
    needs(Object.keys(POSTGRES_SETTINGS), 'ECT_STORE=postgres');
    return undefined;
  }
  if (values.ECT_POSTGRES_URL === undefined) {
    problem('ECT_STORE=postgres needs ECT_POSTGRES_URL.');
    return undefined;
  }
  const { password: inUrl, ...where } = values.ECT_POSTGRES_URL;
  const passwordFile = values.ECT_POSTGRES_PASSWORD_FILE;
  const caFile = values.ECT_POSTGRES_CA_FILE;
  if (inUrl !== '' && passwordFile !== undefined) {
    problem('ECT_POSTGRES_URL has a password, and ECT_POSTGRES_PASSWORD_FILE is set: remove the first.');
  }
  if (caFile !== undefined && !where.isEncrypted) {
    problem('ECT_POSTGRES_CA_FILE needs a connection with TLS: add sslmode=verify-full to ECT_POSTGRES_URL.');
  }
  return { ...where, password: passwordOf(passwordFile, inUrl), caFile, pool: values.ECT_POSTGRES_POOL };
}

/** Returns the source of the password. The file has precedence over the URL. */
export function passwordOf(file: string | undefined, inUrl: string): PasswordSource | undefined {
  if (file !== undefined) return { file };
  return inUrl === '' ? undefined : { reveal: () => inUrl };
}
