// The replay guard and the issue memo in PostgreSQL: the contracts, against a real server.

import { afterAll, beforeAll } from 'vitest';
import { PostgresDatabase, PostgresIssueMemo, PostgresReplayGuard } from '../../../src/stores/postgres/index.ts';
import { issueMemoContract } from '../../contracts/issue-memo.ts';
import { replayGuardContract } from '../../contracts/replay-guard.ts';
import { describeWithPostgres, type PostgresServer, startPostgres } from '../../support/postgres.ts';

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let ledgers = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  /** Databases, each with its own connections, in a ledger of their own. */
  function opener<T extends { close(): Promise<void> }>(make: (database: PostgresDatabase, ledger: string) => T) {
    const ledger = `ledger ${++ledgers}`;
    const opened: { store: T; database: PostgresDatabase }[] = [];
    const open = async () => {
      const database = new PostgresDatabase(server.target(), 3);
      const store = make(database, ledger);
      opened.push({ store, database });
      return store;
    };
    const dispose = async () => {
      for (const { store, database } of opened) await store.close().then(() => database.close());
    };
    return { open, dispose };
  }

  replayGuardContract('PostgresReplayGuard', async () => {
    const { open, dispose } = opener((database, ledger) => new PostgresReplayGuard(database, ledger));
    return { guard: await open(), open, dispose };
  });

  issueMemoContract('PostgresIssueMemo', async () => {
    const { open, dispose } = opener((database, ledger) => new PostgresIssueMemo(database, ledger));
    return { memo: await open(), open, dispose };
  });
});
