// Statements that commit by themselves.

import type { QueryResult } from 'pg';
import type { Session, Statement } from './database.ts';
import { isServerAnswer, OutcomeUnknown } from './failures.ts';

/** Once they were sent, a lost connection leaves open what they did, and none is sent again. */
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
