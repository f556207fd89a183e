// The name of the configured database in messages.

import type { PostgresPlace } from '../config/postgres-url.ts';

/** Returns `the database "ect" at a.example.org:5432 or b.example.org:5432`. It contains no secret. */
export function databaseOf({
  database,
  host,
  port,
  others,
}: Pick<PostgresPlace, 'database' | 'host' | 'port' | 'others'>) {
  const servers = [{ host, port }, ...others].map((server) => addressOf(server));
  return `the database ${JSON.stringify(database)} at ${servers.join(' or ')}`;
}

function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
