// The ledger in PostgreSQL: the contract, against a real server.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresDatabase, PostgresLedgerStore } from '../../../src/stores/postgres/index.ts';
import { ledgerStoreContract } from '../../contracts/ledger-store.ts';
import { checkStore } from '../../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { describeWithPostgres, type PostgresServer, startPostgres } from '../../support/postgres.ts';

const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let ledgers = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  // Before anything is written to the tables: its plans are made while they are empty.
  test('H23: what a call reads does not grow with the ledger, also by plans that were made while it was empty', async () => {
    // One connection, so that its plans are those of before.
    const database = new PostgresDatabase(server.target(), 1);
    const store = new PostgresLedgerStore(database, 'plans');
    await store.initialise(EMPTY_HEAD, 'test+key');
    const names = Array.from({ length: 100 }, (_, n) => `task ${n * 7}`);
    let turn = 0;
    const calls: Record<string, [call: () => Promise<unknown>, most: number]> = {
      'looks up nearest': [() => store.lookUp('elsewhere', names, 'nearest'), 300],
      'looks up in a scope': [() => store.lookUp('scope 1', names, 'scope'), 100],
      finds: [() => store.find('scope 1', 'task 1'), 1],
      reads: [() => store.at(1), 1],
      commits: [
        () => store.commit([candidate(`new ${++turn}`), candidate('task 7', { scope: 'scope 3' })], honestSeal(turn)),
        4,
      ],
      lists: [() => store.list({ startIndex: 5, limit: 10, withContent: true }), 10],
      'lists an author': [() => store.list({ startIndex: 0, limit: 10, withContent: false, author: 'grace' }), 10],
      'lists by time': [() => store.list({ fromMs: 2_500, startIndex: 0, limit: 10, withContent: false }), 40],
      'reads nodes': [() => store.nodes([0, 1, 2, 3].map((index) => ({ level: 0, index }))), 4],
    };
    const rowsRead = async () => {
      await database.use(REASONS).read({ text: 'SELECT pg_stat_force_next_flush()' });
      const [row] = await server.sql(
        `SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read AS rows FROM pg_stat_user_tables WHERE relname = 'entries'`,
      );
      return Number(row?.['rows']);
    };
    await store.commit(
      names.slice(0, 4).map((name) => candidate(name)),
      honestSeal(),
    );
    for (let n = 0; n < 8; n++) for (const [call] of Object.values(calls)) await call();
    for (let start = 0; start < 4_000; start += 500) {
      const more = Array.from({ length: 500 }, (_, n) =>
        candidate(`task ${start + n}`, { scope: `scope ${(start + n) % 4}`, author: n % 2 === 0 ? 'grace' : 'ada' }),
      );
      await store.commit(more, honestSeal(start));
    }
    const found: Record<string, number> = {};
    for (const [name, [call]] of Object.entries(calls)) {
      const before = await rowsRead();
      await call();
      found[name] = (await rowsRead()) - before;
    }
    for (const [name, [, most]] of Object.entries(calls))
      expect(found[name], `${name}: ${JSON.stringify(found)}`).toBeLessThanOrEqual(most);
    await store.close();
    await database.close();
  });

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

  test('names may hold every character, and be as long as tokens allow', async () => {
    const database = new PostgresDatabase(server.target(), 1);
    const store = new PostgresLedgerStore(database, 'names');
    await store.initialise(EMPTY_HEAD, 'test+key');
    // No compression makes these short.
    const long = Array.from({ length: 256 }, (_, n) => String.fromCodePoint(0x4e00 + ((n * 7919) % 20_000))).join('');
    const uri = `urn:${Array.from({ length: 2_044 }, (_, n) => (n * n * 7919).toString(36).at(-1)).join('')}`;
    const names = [
      candidate('a\u0000b', { scope: '\u0000', author: '\u0000' }),
      candidate(long, { scope: `${long}!`, author: uri }),
    ];
    await store.commit(names, honestSeal());
    expect(await store.find('\u0000', 'a\u0000b')).toMatchObject({ index: 0, author: '\u0000' });
    expect(await store.find(`${long}!`, long)).toMatchObject({ index: 1 });
    await checkStore(store);
    await store.close();
    await database.close();
  });
});
