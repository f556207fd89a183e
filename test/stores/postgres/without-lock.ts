// A ledger in PostgreSQL whose head is not locked: what is left is the comparison of the head where entries are added.

import type { PostgresDatabase } from '../../../src/stores/postgres/index.ts';

/** The same database, where nobody waits for the head. `onMoved` is called when a sequencer came too late. */
export function withoutLock(database: PostgresDatabase, onMoved: () => void): PostgresDatabase {
  const use: PostgresDatabase['use'] = (reasons) => {
    const inner = database.use(reasons);
    const repeatedly: typeof inner.repeatedly = (work) =>
      inner.repeatedly((session) => {
        const all = session.all.bind(session);
        session.all = (...statements) =>
          all(
            ...statements.map((statement) =>
              statement.name === 'lock-head'
                ? { ...statement, name: 'no-lock', text: statement.text.replace(' FOR UPDATE', '') }
                : statement,
            ),
          );
        return work(session).catch((error: unknown) => {
          if (error instanceof Error && error.name === 'HeadMoved') onMoved();
          throw error;
        });
      });
    return Object.assign(Object.create(inner) as typeof inner, { repeatedly });
  };
  return Object.assign(Object.create(database) as PostgresDatabase, { use });
}
