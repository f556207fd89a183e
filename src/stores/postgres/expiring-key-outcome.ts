// Determines the outcome of autocommitted statements on expiring keys, also after the connection was lost.

import type { StoredValue } from '../expiring-keys.ts';
import type { DatabaseUse } from './database.ts';
import { write } from './own-commits.ts';

/** A row that a call wanted to store. */
export interface WantedRow {
  readonly key: Uint8Array;
  readonly value: StoredValue;
  readonly keepUntil: number;
}

/**
 * Whether each row exists exactly as requested. It is written again unchanged, so that the result is as durable as that of a first write:
 * a commit that a standby has not confirmed may be visible and still be lost.
 */
export async function confirmRows(
  use: DatabaseUse,
  { ledger, kind }: { readonly ledger: string; readonly kind: number },
  rows: readonly WantedRow[],
): Promise<readonly boolean[]> {
  if (rows.length === 0) return [];
  const statements = rows.map(({ key, value, keepUntil }) => ({
    name: 'confirm',
    text: `UPDATE ect.once SET keep_until = keep_until
           WHERE ledger = $1 AND kind = $2 AND key = $3 AND digest = $4 AND label = $5 AND content = $6 AND keep_until = $7`,
    values: [ledger, kind, key, ...bytesOf(value), keepUntil],
  }));
  const answers = await use.repeatedly((session) => write(session, ...statements));
  return answers.map(({ rowCount }) => rowCount === 1);
}

/** The columns `digest`, `label` and `content`. */
export function bytesOf({ digest, label, content }: StoredValue): [Uint8Array, Buffer, Buffer] {
  return [digest, Buffer.from(label), Buffer.from(content)];
}
