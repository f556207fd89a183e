// What the database of the configuration is called in messages.

import type { PostgresPlace } from '../config/postgres-url.ts';

/** `the database "ect" at a.example.org:5432 or b.example.org:5432`. Nothing of it is secret. */
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
