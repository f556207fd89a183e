// What became of statements about things remembered once that commit by themselves, also where the connection was lost.

import type { StoredValue } from '../expiring-keys.ts';
import type { DatabaseUse } from './database.ts';
import { write } from './own-commits.ts';

/** A row as somebody wanted to have it. */
export interface WantedRow {
  readonly key: Uint8Array;
  readonly value: StoredValue;
  readonly keepUntil: number;
}

/**
 * Whether each row is there exactly as it was wanted. It is written again as it is, so that the answer is as durable as that of a first
 * write: what a standby has not confirmed may be seen, and still be lost.
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
