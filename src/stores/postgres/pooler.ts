// Whether there is a pooler between this process and the server, and which kind. One that gives a session to several clients cannot be
// used: statements are prepared in a session, and settings belong to it.

import type { ClientBase } from 'pg';
import { UnfitDatabase } from './failures.ts';

/** A connection, with the server process that the server named when it was opened. */
type Connection = Pick<ClientBase, 'query'> & { readonly processID?: number | null };

/** What is needed where there is a pooler. */
export interface SessionNeeds {
  /** Settings that a pooler does not pass on. */
  readonly settings: Readonly<Record<string, string>>;
  /** Opens a second connection on the same way. */
  readonly connectAnother: () => Promise<Connection & { end(): Promise<void> }>;
}

/** How often the two connections are compared: a pooler hands out sessions in an order of its own. */
const ATTEMPTS = 3;

/**
 * Sets up the session of a new connection that goes through a pooler, in the mode in which it is this client's own (PgBouncer:
 * `pool_mode = session`). UnfitDatabase for other modes. A connection to the server itself is set up already.
 */
export async function prepareSession(client: Connection, needs: SessionNeeds): Promise<void> {
  const pid = await serverProcess(client);
  // A pooler makes a number up, since it does not know yet which process will serve this client.
  if (pid === client.processID) return;
  await rejectSharedSession(client, needs);
  const entries = Object.entries(needs.settings);
  await client.query({
    text: 'SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS wanted (name, value)',
    values: [entries.map(([name]) => name), entries.map(([, value]) => value)],
  });
}

/** While a session is this client's own, no other client is served by its process. */
async function rejectSharedSession(client: Connection, { connectAnother }: SessionNeeds): Promise<void> {
  // A pooler that has no session left for it does not share this one, which is idle.
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

/** The process of the server that serves this statement. */
async function serverProcess(client: Connection): Promise<unknown> {
  const { rows } = await client.query<{ pid: unknown }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
