// Detects a pooler between this process and the server, and its mode. A pooler that shares a session among clients cannot be used,
// because prepared statements and settings belong to a session.

import type { ClientBase } from 'pg';
import { UnfitDatabase } from './failures.ts';

/** A connection, with the server process that the server named when it was opened. */
type Connection = Pick<ClientBase, 'query'> & { readonly processID?: number | null };

/** What is needed if there is a pooler. */
export interface SessionNeeds {
  /** Settings that a pooler does not forward. */
  readonly settings: Readonly<Record<string, string>>;
  /** Opens a second connection to the same address. */
  readonly connectAnother: () => Promise<Connection & { end(): Promise<void> }>;
}

/** How often the two connections are compared, because a pooler assigns sessions in any order. */
const ATTEMPTS = 3;

/**
 * Sets up the session of a new connection through a pooler, in the mode in which the session belongs to one client (PgBouncer: `pool_mode
 * = session`). UnfitDatabase for other modes. A direct connection is set up already.
 */
export async function prepareSession(client: Connection, needs: SessionNeeds): Promise<void> {
  const pid = await serverProcess(client);
  // A pooler invents a process id, because it does not know yet which process will serve this client.
  if (pid === client.processID) return;
  await rejectSharedSession(client, needs);
  const entries = Object.entries(needs.settings);
  await client.query({
    text: 'SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS wanted (name, value)',
    values: [entries.map(([name]) => name), entries.map(([, value]) => value)],
  });
}

/** While a session belongs to one client, its process serves no other one. */
async function rejectSharedSession(client: Connection, { connectAnother }: SessionNeeds): Promise<void> {
  // A pooler without a free session does not share this idle one.
  const other = await connectAnother().catch(() => undefined);
  if (other === undefined) return;
  try {
    const own = await serverProcess(client);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const theirs = await serverProcess(other).catch(() => undefined);
      if (theirs === undefined) return;
      if (theirs === own || (await serverProcess(client)) !== own) throw new UnfitDatabase(SHARED);
    }
  } finally {
    await other.end().catch(() => undefined);
  }
}

const SHARED =
  'The database is behind a pooler that gives one session to several clients (PgBouncer with pool_mode = transaction or statement), where ' +
  'prepared statements and settings do not hold: set pool_mode = session, or ECT_POSTGRES_URL to the server itself.';

/** The server process that serves this statement. */
async function serverProcess(client: Connection): Promise<unknown> {
  const { rows } = await client.query<{ pid: unknown }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
