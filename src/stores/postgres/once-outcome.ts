// What became of statements about things remembered once that commit by themselves, also where the connection was lost.

import type { QueryResult } from 'pg';
import type { Held } from '../once.ts';
import type { DatabaseUse, Session, Statement } from './database.ts';
import { isServerAnswer, OutcomeUnknown } from './failures.ts';

/** Statements that commit by themselves. Once they were sent, a lost connection leaves open what they did, and none is sent again. */
export async function write(session: Session, ...statements: readonly Statement[]): Promise<readonly QueryResult[]> {
  const answers = await session.settled(...statements);
  // Committed here, and maybe not where a failover leads.
  if (session.hasWarning) throw new OutcomeUnknown('the server has warned of the commit');
  return answers.map((answer) => {
    if (answer.status === 'fulfilled') return answer.value;
    if (isServerAnswer(answer.reason)) throw answer.reason;
    throw new OutcomeUnknown('the connection ended', { cause: answer.reason });
  });
}

/** A row as somebody wanted to have it. */
export interface WantedRow {
  readonly key: Uint8Array;
  readonly held: Held;
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
  const statements = rows.map(({ key, held, keepUntil }) => ({
    name: 'confirm',
    text: `UPDATE ect.once SET keep_until = keep_until
           WHERE ledger = $1 AND kind = $2 AND key = $3 AND digest = $4 AND label = $5 AND content = $6 AND keep_until = $7`,
    values: [ledger, kind, key, ...bytesOf(held), keepUntil],
  }));
  const answers = await use.repeatedly((session) => write(session, ...statements));
  return answers.map(({ rowCount }) => rowCount === 1);
}

/** The columns `digest`, `label` and `content`. */
export function bytesOf({ digest, label, content }: Held): [Uint8Array, Buffer, Buffer] {
  return [digest, Buffer.from(label), Buffer.from(content)];
}
