// The ledger in PostgreSQL: the contract, against a real server.

import { afterAll, beforeAll } from 'vitest';
import { PostgresDatabase, PostgresLedgerStore } from '../../../src/stores/postgres/index.ts';
import { ledgerStoreContract } from '../../contracts/ledger-store.ts';
import { describeWithPostgres, type PostgresServer, startPostgres } from '../../support/postgres.ts';

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let ledgers = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  ledgerStoreContract('PostgresLedgerStore', async () => {
    // Each in a ledger of its own, in one database.
    const ledger = `ledger ${++ledgers}`;
    const databases: PostgresDatabase[] = [];
    const open = async () => {
      const database = new PostgresDatabase(server.target(), 5);
      databases.push(database);
      return new PostgresLedgerStore(database, ledger);
    };
    const store = await open();
    const dispose = async () => {
      await store.close();
      await Promise.all(databases.map((database) => database.close()));
    };
    return { store, open, dispose };
  });
});
