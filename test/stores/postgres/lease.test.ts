// The lease on background work: one process at a time, the next one in time, and nothing written by one that has lost it.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresDatabase, PostgresLease, PostgresReplayGuard } from '../../../src/stores/postgres/index.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { describeWithPostgres, type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { SOON } from '../../support/soon.ts';

/** Short, so that a test can wait for its end. */
const LIFE_MS = 900;

describeWithPostgres('the lease on background work in PostgreSQL', () => {
  let server: PostgresServer;
  let ledgers = 0;
  const opened: PostgresDatabase[] = [];
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await Promise.all(opened.map((database) => database.close()));
    await server.stop();
  });

  function connect(): PostgresDatabase {
    const database = new PostgresDatabase(server.target(), 2);
    opened.push(database);
    return database;
  }
  /** A process that wants the lease. */
  function process(ledger: string, isFit = () => true) {
    const reported: (number | undefined)[] = [];
    const database = connect();
    const lease = new PostgresLease(database, {
      ledger,
      lifeMs: LIFE_MS,
      isFit,
      onChanged: (token) => reported.push(token),
    });
    return { database, lease, reported };
  }
  const holders = (all: readonly ReturnType<typeof process>[]) => all.filter(({ lease }) => lease.token !== undefined);

  test('of three processes one has it, and keeps it; when it stops another has it with a higher token', async () => {
    const ledger = `ledger ${++ledgers}`;
    const all = [1, 2, 3].map(() => process(ledger));
    await expect.poll(() => holders(all).length, SOON).toBe(1);
    const [first] = holders(all);
    const { token } = first!.lease;
    const untilMs = performance.now() + 2 * LIFE_MS;
    await expect
      .poll(() => {
        expect(holders(all)).toEqual([first]);
        return performance.now() > untilMs;
      }, SOON)
      .toBe(true);
    await first!.lease.close();
    expect(first!.reported).toEqual([token, undefined]);
    await expect.poll(() => holders(all).length, SOON).toBe(1);
    expect(holders(all)[0]!.lease.token).toBe(token! + 1);
    await Promise.all(all.map(({ lease }) => lease.close()));
  });

  test('one whose connections are gone knows at its end that it has it no more, and another takes it', async () => {
    const ledger = `ledger ${++ledgers}`;
    const first = process(ledger);
    await expect.poll(() => first.lease.token, SOON).toBe(1);
    const second = process(ledger);
    // It cannot reach the database any more, and says nothing to it.
    await first.database.close();
    await expect.poll(() => second.lease.token, SOON).toBe(2);
    expect(first.lease.token).toBeUndefined();
    await Promise.all([first.lease.close(), second.lease.close()]);
  });

  test('one that cannot do the work leaves it to another', async () => {
    const ledger = `ledger ${++ledgers}`;
    let isFit = true;
    const first = process(ledger, () => isFit);
    await expect.poll(() => first.lease.token, SOON).toBe(1);
    const second = process(ledger);
    isFit = false;
    await expect.poll(() => second.lease.token, SOON).toBe(2);
    expect(first.lease.token).toBeUndefined();
    await Promise.all([first.lease.close(), second.lease.close()]);
  });

  test('a sweep under a token that is not the newest removes nothing, even if its process still trusts it', async () => {
    const ledger = `ledger ${++ledgers}`;
    const now = Math.floor(Date.now() / 1000);
    const kept = async () => (await server.sql('SELECT 1 FROM ect.once WHERE ledger = $1', [ledger])).length;
    await server.sql(
      `INSERT INTO ect.leases VALUES ($1, 'background', 'somebody', 7, clock_timestamp() + interval '1 hour')`,
      [ledger],
    );
    const lease = { token: 6 };
    const guard = new PostgresReplayGuard(connect(), ledger, () => now, lease);
    await guard.claim(tokenUse(), now - 100, now - 200);
    const others = new PostgresReplayGuard(connect(), ledger, () => now, { token: undefined });
    // Longer than two sweeps of both.
    const untilMs = performance.now() + 2_500;
    await expect
      .poll(async () => {
        expect(await kept()).toBe(1);
        return performance.now() > untilMs;
      }, SOON)
      .toBe(true);
    lease.token = 7;
    await expect.poll(kept, SOON).toBe(0);
    await Promise.all([guard.close(), others.close()]);
  });
});
