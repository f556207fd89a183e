// Which settings say where the PostgreSQL database is, and how it is reached.

import { POSTGRES_URL_RULE, type PostgresPlace, readPostgresUrl } from './postgres-url.ts';
import type { SettingsReader } from './signer.ts';

/** Where the password is. It is behind a function, so that nothing that prints a Config shows it. */
export type PasswordSource = { readonly file: string } | { readonly reveal: () => string };

export interface PostgresConfig extends Omit<PostgresPlace, 'password'> {
  readonly password: PasswordSource | undefined;
  /** PEM: the CA of the server, where it is none that Node.js trusts. */
  readonly caFile: string | undefined;
  /** Connections of one process, at most. */
  readonly pool: number;
}

const POSTGRES_KEYS = ['ECT_POSTGRES_URL', 'ECT_POSTGRES_PASSWORD_FILE', 'ECT_POSTGRES_CA_FILE', 'ECT_POSTGRES_POOL'];

/** Reads the settings of the database; undefined where none is named. `isWanted`: whether the store is in one. */
export function readPostgres(
  { read, path, whole, problem, needs }: SettingsReader,
  isWanted: boolean,
): PostgresConfig | undefined {
  const place = read<PostgresPlace | undefined>('ECT_POSTGRES_URL', undefined, POSTGRES_URL_RULE, readPostgresUrl);
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
