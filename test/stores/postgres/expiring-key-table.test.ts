// The replay guard, the idempotency store and pending recordings in PostgreSQL: the contracts, against a real server.

import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  PostgresDatabase,
  PostgresIdempotencyStore,
  PostgresPendingRecordings,
  PostgresReplayGuard,
} from '../../../src/stores/postgres/index.ts';
import { idempotencyStoreContract } from '../../contracts/idempotency-store.ts';
import { pendingRecordingsContract, recordingFor } from '../../contracts/pending-recordings.ts';
import { replayGuardContract, tokenUse } from '../../contracts/replay-guard.ts';
import { rounds } from '../../support/full.ts';
import { describeWithPostgres, type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { SOON } from '../../support/soon.ts';

const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;

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

  test('R8: what is over is swept away in steps, by any of the processes, and never by a clock that the server does not share', async () => {
    const { open, dispose } = opener((database, ledger) => new PostgresReplayGuard(database, ledger, () => clock));
    const guard = await open();
    const present = Math.floor(Date.now() / 1000);
    // A process whose clock is a day ahead of that of the server.
    const clock = present + 86_400;
    const keys = async () => {
      const [row] = await server.sql('SELECT count(*) FROM ect.once WHERE ledger = $1', [`ledger ${ledgers}`]);
      return Number(row?.['count']);
    };
    const claims = [present - 100, present + 3_600].flatMap((end) =>
      Array.from({ length: 1_500 }, (_, n) => guard.claim(tokenUse({ jti: `${end} ${n}` }), end, end)),
    );
    expect(new Set(await Promise.all(claims))).toEqual(new Set(['fresh']));
    await expect.poll(keys, SOON).toBe(1_500);
    expect(await guard.claim(tokenUse({ jti: `${present + 3_600} 0` }), present + 3_600, present)).toBe('replayed');
    await dispose();
  });

  test('what a claim and a sweep read does not grow with what is remembered, also without statistics of the table', async () => {
    // One connection, so that its plans are those that it made while the table was nearly empty.
    const database = new PostgresDatabase(server.target(), 1);
    const guard = new PostgresReplayGuard(database, 'plans', () => 1_000);
    const claim = (n: number, end: number) => guard.claim(tokenUse({ jti: `${end} ${n}` }), end, 500);
    const rowsRead = async () => {
      await database.use(REASONS).read({ text: 'SELECT pg_stat_force_next_flush()' });
      const [row] = await server.sql(
        `SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read AS rows FROM pg_stat_user_tables WHERE relname = 'once'`,
      );
      return Number(row?.['rows']);
    };
    for (let n = 0; n < 8; n++) await claim(n, 9_000);
    await Promise.all(Array.from({ length: rounds(4_000, 1_000) }, (_, n) => claim(n, 9_000)));
    const atFirst = await rowsRead();
    for (let n = 0; n < 20; n++) expect(await claim(50 * n, 9_000)).toBe('replayed');
    const claimed = await rowsRead();
    expect(claimed - atFirst).toBeLessThanOrEqual(40);
    const deleted = async () => {
      const [row] = await server.sql(`SELECT n_tup_del AS rows FROM pg_stat_user_tables WHERE relname = 'once'`);
      return Number(row?.['rows']);
    };
    // The server itself reads a table now and then, so the least of some rounds counts.
    const read: number[] = [];
    for (let round = 0; round < 3; round++) {
      const before = await rowsRead();
      const atFirst = await deleted();
      await Promise.all(Array.from({ length: 300 }, (_, n) => claim(n, 600)));
      await expect.poll(() => rowsRead().then(deleted), SOON).toBeGreaterThanOrEqual(atFirst + 300);
      read.push((await rowsRead()) - before);
    }
    // Each is looked up as it is claimed, found by the sweep, locked, and deleted.
    expect(Math.min(...read)).toBeLessThanOrEqual(300 * 4 + 40);
    await guard.close();
    await database.close();
  });

  idempotencyStoreContract('PostgresIdempotencyStore', async () => {
    const { open, dispose } = opener((database, ledger) => new PostgresIdempotencyStore(database, ledger));
    return { idempotency: await open(), open, dispose };
  });

  pendingRecordingsContract('PostgresPendingRecordings', async (limits) => {
    const { open, dispose } = opener((database, ledger) => new PostgresPendingRecordings(database, ledger, limits));
    return { pending: await open(), open, dispose };
  });

  test('what it costs to place, end and take pending recordings does not grow with those that are open, also without statistics', async () => {
    const database = new PostgresDatabase(server.target(), 1);
    const pending = new PostgresPendingRecordings(database, 'pending recordings', { total: 2_000, perCaller: 5 });
    const rowsRead = async () => {
      await database.use(REASONS).read({ text: 'SELECT pg_stat_force_next_flush()' });
      const [row] = await server.sql(
        `SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read AS rows FROM pg_stat_user_tables
         WHERE relname = 'recording_orders'`,
      );
      return Number(row?.['rows']);
    };
    const placeAll = (from: number, count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, n) =>
          pending.add(recordingFor(`${from + n}`, { caller: `${from + n}` }), 60_000),
        ),
      );
    await placeAll(0, 8);
    await placeAll(8, 1_500);
    const before = await rowsRead();
    for (let n = 0; n < 10; n++) {
      expect(await pending.find(recordingFor(`${n}`))).toBeDefined();
      await pending.done(recordingFor(`${n}`));
      expect(await pending.take(10, 1_000)).toEqual([]);
    }
    expect((await rowsRead()) - before).toBeLessThanOrEqual(60);
    await pending.close();
    await database.close();
  });
});
