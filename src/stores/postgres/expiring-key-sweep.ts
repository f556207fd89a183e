// Deletes the expired rows of one kind.

import type { DatabaseUse, Statement } from './database.ts';
import { isFenced, type Lease } from './lease.ts';

const SWEPT_ROWS = 1_000;

/**
 * Deletes some rows that expired before `now`, and that no other process has locked. They must also have expired by the clock of the
 * server, so that a process whose clock is ahead deletes nothing that is valid for the others. With a lease, only its holder deletes.
 * Returns whether there is more to do.
 */
export async function sweepKeys(
  use: DatabaseUse,
  { ledger, kind }: { readonly ledger: string; readonly kind: number },
  now: number,
  lease: Lease | undefined,
): Promise<boolean> {
  const token = lease?.token;
  if (!Number.isFinite(now) || (lease !== undefined && token === undefined)) return false;
  const statement: Statement = {
    name: 'sweep',
    text: `DELETE FROM ect.once WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM ect.once
             WHERE ledger || '' = $1 AND kind = $2 AND keep_until < least($3::bigint, floor(extract(epoch FROM now()))::bigint)
               AND ${isFenced('$5')}
             ORDER BY keep_until LIMIT $4 FOR UPDATE SKIP LOCKED))`,
    values: [ledger, kind, now, SWEPT_ROWS, token ?? null],
  };
  const { rowCount } = await use.read(statement);
  return rowCount === SWEPT_ROWS;
}
