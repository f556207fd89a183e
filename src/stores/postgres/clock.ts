// The clock of the server, which all replicas share.

import { LEDGER } from '../store-reasons.ts';
import type { PostgresDatabase } from './database.ts';

/** Times in milliseconds. The server read its clock at `steadyMs` ± `marginMs`. */
export interface ServerTime {
  readonly readMs: number;
  readonly steadyMs: number;
  readonly marginMs: number;
}

/** Reads the clock over an open connection, so that the round trip is that of one statement. */
export function readServerTime(database: PostgresDatabase, steadyMs: () => number): Promise<ServerTime> {
  return database.use(LEDGER).repeatedly(async (session) => {
    const sentMs = steadyMs();
    const [answer] = await session.all({
      name: 'clock',
      text: 'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms',
    });
    const marginMs = (steadyMs() - sentMs) / 2;
    return { readMs: Number(answer?.rows[0]?.['ms']), steadyMs: sentMs + marginMs, marginMs };
  });
}
