// What a call that has little time gets from a database that does not answer, and what it leaves behind there.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { underDeadline } from '../../../src/concurrency/call-deadline.ts';
import { generateLedgerKey, Ledger, openLedgerKey } from '../../../src/ledger/index.ts';
import {
  PostgresDatabase,
  PostgresIdempotencyStore,
  PostgresLedgerStore,
  PostgresReplayGuard,
} from '../../../src/stores/postgres/index.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { candidate } from '../../support/honest-seal.ts';
import { describeWithPostgres, type PostgresServer, SERVICE_ROLE, startPostgres } from '../../support/postgres.ts';
import { SOON } from '../../support/soon.ts';

const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;
const UNAVAILABLE = { reason: 'LEDGER_UNAVAILABLE' };
const DEADLINE_MS = 400;
const HOUR_MS = 3_600_000;
/** What ends a call here is its deadline, and no limit of the session. */
const NO_LIMITS = { idleInTransactionMs: HOUR_MS, lockMs: HOUR_MS, statementMs: HOUR_MS, answerMs: HOUR_MS };

describeWithPostgres('PostgreSQL and calls with a deadline', () => {
  let server: PostgresServer;
  let database: PostgresDatabase;
  let store: PostgresLedgerStore;
  let ledger: Ledger;
  const reported: string[] = [];
  beforeAll(async () => {
    server = await startPostgres();
    database = new PostgresDatabase(
      server.target(),
      3,
      { ...NO_LIMITS, connectMs: 800 },
      {
        databaseLost: () => reported.push('lost'),
        databaseFound: () => reported.push('found'),
      },
    );
    store = new PostgresLedgerStore(database);
    const key = openLedgerKey(generateLedgerKey('ledger.example/deadlines'));
    ledger = await Ledger.open({ store, key, nowMs: Date.now });
  });
  afterAll(async () => {
    await store.close();
    await database.close();
    await server.stop();
  });

  /** Runs a call under a deadline. What it waits for comes only after this has returned. Returns how long it waited, in milliseconds. */
  async function rejectedInTime(call: () => Promise<unknown>, reason = 'LEDGER_UNAVAILABLE'): Promise<number> {
    const begunMs = performance.now();
    const outcome = underDeadline(begunMs + DEADLINE_MS, call);
    await expect(outcome).rejects.toMatchObject({ reason });
    return performance.now() - begunMs;
  }

  test('L20, L21: a call with a short deadline is answered by then, and keeps neither a lock nor a connection of the server', async () => {
    const held = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    const holding = database.use(REASONS).repeatedly(async (session) => {
      await session.all({ text: 'BEGIN' }, { text: 'SELECT 1 FROM ect.head FOR UPDATE' });
      held.resolve();
      await free.promise;
    });
    await held.promise;
    // It waits for the lock.
    const tookMs = await rejectedInTime(() => ledger.append(candidate('late')));
    expect(tookMs).toBeGreaterThanOrEqual(DEADLINE_MS - 5);
    const waiting = async () => {
      const rows = await server.sql(
        `SELECT 1 FROM pg_stat_activity WHERE usename = '${SERVICE_ROLE}' AND wait_event_type = 'Lock'`,
      );
      return rows.length;
    };
    // The lock is not free yet.
    await expect.poll(waiting, SOON).toBe(0);
    free.resolve();
    await holding;
    expect(await ledger.append(candidate('late'))).toMatchObject({ outcome: 'added' });
  });

  test('L21: where all connections are taken, many calls wait for as long as they have time, and no longer', async () => {
    const small = new PostgresDatabase(server.target(), 2, { ...NO_LIMITS, connectMs: HOUR_MS });
    const reader = new PostgresLedgerStore(small);
    const free = Promise.withResolvers<void>();
    let taken = 0;
    const busy = [1, 2].map(() =>
      small.use(REASONS).repeatedly(async () => {
        taken++;
        await free.promise;
      }),
    );
    await expect.poll(() => taken, SOON).toBe(2);
    const tookMs = await Promise.all(Array.from({ length: 50 }, () => rejectedInTime(() => reader.head())));
    expect(Math.min(...tookMs)).toBeGreaterThanOrEqual(DEADLINE_MS - 5);
    free.resolve();
    await Promise.all(busy);
    expect((await reader.head())?.size).toBe(ledger.size);
    expect(small.isUp).toBe(true);
    await small.close();
  });

  test('L20: a frozen server: each call is answered in time, the event loop is free, and later ones are rejected at once', async () => {
    const guard = new PostgresReplayGuard(database, 'frozen');
    const memo = new PostgresIdempotencyStore(database, 'frozen');
    await guard.look(tokenUse(), 1_000);
    reported.length = 0;
    const thaw = server.freeze();
    try {
      let turns = 0;
      const watch = setInterval(() => turns++, 5);
      const issued = { requestDigest: Buffer.alloc(32), token: 'token' };
      await Promise.all([
        rejectedInTime(() => ledger.append(candidate('frozen'))),
        rejectedInTime(() => store.find('', 'late')),
        rejectedInTime(() => guard.claim(tokenUse(), 2_000, 1_000), 'REPLAY_GUARD_UNAVAILABLE'),
        rejectedInTime(() => memo.remember('ada', 'key', issued, 2_000, 1_000), 'IDEMPOTENCY_UNAVAILABLE'),
      ]);
      // Other work ran meanwhile.
      expect(turns).toBeGreaterThan(5);
      clearInterval(watch);
      // What was left unanswered makes the store ask the server, which says nothing.
      await expect.poll(() => database.isUp, { timeout: 8_000, interval: 10 }).toBe(false);
      const rejected = await Promise.allSettled(Array.from({ length: 100 }, () => store.head()));
      expect(rejected.filter(({ status }) => status === 'fulfilled')).toEqual([]);
      // Only calls that did not wait get a time to wait before a retry. One of them may have asked the server again.
      const atOnce = rejected.filter(
        (each) => each.status === 'rejected' && each.reason.metadata['retry_after_seconds'],
      );
      expect(atOnce.length).toBeGreaterThanOrEqual(99);
      expect(reported).toEqual(['lost']);
    } finally {
      thaw();
    }
    const recorded = () => ledger.append(candidate('frozen')).then(({ record }) => record.name);
    await expect.poll(() => recorded().catch(() => 'not yet'), SOON).toBe('frozen');
    expect(reported).toEqual(['lost', 'found']);
    await Promise.all([guard.close(), memo.close()]);
  });

  test('L20: a server that is gone: callers are rejected at once, and one of them at a time asks again', async () => {
    await expect.poll(() => store.head().then(() => database.isUp), SOON).toBe(true);
    reported.length = 0;
    await server.crash();
    await expect(store.head()).rejects.toMatchObject(UNAVAILABLE);
    const rejected = await Promise.allSettled(Array.from({ length: 500 }, () => store.head()));
    // What only a call has that was rejected without a question to the server.
    for (const outcome of rejected) {
      expect(outcome).toMatchObject({ reason: { ...UNAVAILABLE, metadata: { retry_after_seconds: '1' } } });
      // So the log does not say it for each of them.
      expect(outcome).not.toHaveProperty('reason.cause');
    }
    // A caller that repeats a rejected call without a pause does not keep the event loop.
    let hadTurn = false;
    setTimeout(() => {
      hadTurn = true;
    }, 20);
    for (let n = 0; n < 100_000 && !hadTurn; n++) await store.head().catch(() => undefined);
    expect(hadTurn).toBe(true);
    await server.restart();
    await expect
      .poll(
        () =>
          store.head().then(
            () => 'there',
            () => 'away',
          ),
        SOON,
      )
      .toBe('there');
    expect(reported).toEqual(['lost', 'found']);
  });

  test('L20: a start that finds no server asks again until one is there, and a mistake ends it at once', async () => {
    const heard: string[] = [];
    const listeners = { databaseLost: () => heard.push('lost'), databaseFound: () => heard.push('found') };
    await server.crash();
    const starting = new PostgresDatabase(server.target(), 1, {}, listeners);
    const examined = starting.examine(10 * SOON.timeout);
    await expect.poll(() => heard, SOON).toEqual(['lost']);
    await server.restart();
    await examined;
    expect(heard).toEqual(['lost', 'found']);
    await starting.close();
    const mistaken = new PostgresDatabase(server.target(SERVICE_ROLE, 'nowhere'), 1);
    await expect(mistaken.examine(10 * SOON.timeout)).rejects.toThrow(/does not exist/);
    await mistaken.close();
  });
});
