// Statements in autocommit mode.

import type { QueryResult } from 'pg';
import type { Session, Statement } from './database.ts';
import { isServerAnswer, OutcomeUnknown } from './failures.ts';

/** If the connection is lost after they were sent, their outcome is unknown, so they are not repeated. */
export async function write(session: Session, ...statements: readonly Statement[]): Promise<readonly QueryResult[]> {
  const answers = await session.settled(...statements);
  // Committed here, but possibly not on a standby after a failover.
  if (session.hasWarning) throw new OutcomeUnknown('the server has warned of the commit');
  return answers.map((answer) => {
    if (answer.status === 'fulfilled') return answer.value;
    if (isServerAnswer(answer.reason)) throw answer.reason;
    throw new OutcomeUnknown('the connection ended', { cause: answer.reason });
  });
}
