// What becomes of a ledger in PostgreSQL when the server, the connection or the lock fails.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  PostgresDatabase,
  PostgresIdempotencyStore,
  PostgresLedgerStore,
  PostgresReplayGuard,
} from '../../../src/stores/postgres/index.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { checkStore } from '../../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { describeWithPostgres, type PostgresServer, SERVICE_ROLE, startPostgres } from '../../support/postgres.ts';
import { SOON } from '../../support/soon.ts';
import { startCutProxy } from './cut-proxy.ts';
import { withoutLock } from './without-lock.ts';

const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;
const UNAVAILABLE = { reason: 'LEDGER_UNAVAILABLE' };
/** What a machine needs that is busy with other tests, only to connect: none of these is about how long that takes. */
const PATIENT = { connectMs: 30_000 };
/** The statement of a claim, also where it was prepared before. */
const HOLD = 'put-if-absent\0';

describeWithPostgres('PostgreSQL', () => {
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

  function connect(host = server.host, timeouts = {}): PostgresDatabase {
    const database = new PostgresDatabase({ ...server.target(), host }, 4, { ...PATIENT, ...timeouts });
    opened.push(database);
    return database;
  }

  /** While a server is away it is asked again after pauses, and calls in between are rejected. */
  const isThere = (store: PostgresLedgerStore) =>
    store.head().then(
      () => true,
      () => false,
    );

  /** A ledger with one entry, in a name of its own. */
  async function startedLedger(): Promise<string> {
    const ledger = `ledger ${++ledgers}`;
    const store = new PostgresLedgerStore(connect(), ledger);
    await store.initialise(EMPTY_HEAD, 'test+key');
    await store.commit([candidate('first')], honestSeal());
    return ledger;
  }

  test('L10: without the lock of the head two sequencers still never fork: the head is compared where entries are added', async () => {
    const ledger = await startedLedger();
    let met = 0;
    const stores = [1, 2, 3].map(
      () =>
        new PostgresLedgerStore(
          withoutLock(connect(), () => met++),
          ledger,
        ),
    );
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, n) => stores[n % 3]!.commit([candidate(`task ${n}`)], honestSeal())),
    );
    const records = await checkStore(stores[0]!);
    const added = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value.placements : []));
    expect(
      records
        .slice(1)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(added.map(({ record }) => record.name).sort());
    // They did meet: some sequencer came too late three times in a row, or had to begin anew.
    expect(met).toBeGreaterThan(0);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(UNAVAILABLE);
  });

  test.each([
    ['before', false],
    ['after', true],
  ] as const)(
    'L20: a connection that ends %s COMMIT leaves the outcome open, and the same names settle it',
    async (when, isThere) => {
      const ledger = await startedLedger();
      const proxy = await startCutProxy(server);
      const store = new PostgresLedgerStore(connect(proxy.host), ledger);
      await store.head();
      // The message of the simple query protocol, which ends so.
      proxy.cut = { when, text: 'COMMIT\0' };
      const names = [candidate('a'), candidate('b')];
      await expect(store.commit(names, honestSeal())).rejects.toMatchObject({
        ...UNAVAILABLE,
        message: expect.stringContaining('the outcome is open'),
      });
      const { placements } = await store.commit(names, honestSeal());
      expect(placements.map(({ added, record }) => [added, record.index])).toEqual([
        [!isThere, 1],
        [!isThere, 2],
      ]);
      expect(await checkStore(store)).toHaveLength(3);
      await proxy.close();
    },
  );

  test('R2, L20: a claim whose answer is lost is looked up under its request id, and rejected without one', async () => {
    const proxy = await startCutProxy(server);
    const guard = new PostgresReplayGuard(connect(proxy.host), 'lost answers');
    const use = tokenUse({ requestId: 'call 1' });
    await guard.look(use, 1_000);
    proxy.cut = { when: 'after', text: HOLD };
    expect(await guard.claim(use, 2_000, 1_000)).toBe('fresh');
    expect(await guard.claim({ ...use, requestId: 'call 2' }, 2_000, 1_000)).toBe('replayed');
    expect(await guard.claim(use, 2_000, 1_000)).toBe('repeated');
    // The row could be of another call with the same token: nobody may take it for its own.
    const other = tokenUse({ jti: 'another task' });
    proxy.cut = { when: 'after', text: HOLD };
    await expect(guard.claim(other, 2_000, 1_000)).rejects.toMatchObject({ reason: 'REPLAY_GUARD_UNAVAILABLE' });
    expect(await guard.claim(other, 2_000, 1_000)).toBe('replayed');
    // What the server never got is not there, and may still come: it stays open.
    const unsent = tokenUse({ jti: 'a third task', requestId: 'call 3' });
    proxy.cut = { when: 'before', text: HOLD };
    await expect(guard.claim(unsent, 2_000, 1_000)).rejects.toMatchObject({ reason: 'REPLAY_GUARD_UNAVAILABLE' });
    expect(await guard.claim(unsent, 2_000, 1_000)).toBe('fresh');
    await guard.close();
    await proxy.close();
  });

  test('L20: a token whose memory was cut off is looked up, and stands', async () => {
    const proxy = await startCutProxy(server);
    const memo = new PostgresIdempotencyStore(connect(proxy.host), 'lost answers');
    const issued = { requestDigest: Buffer.alloc(32, 1), token: 'a token' };
    await memo.findIssued('ada', 'key', 1_000);
    proxy.cut = { when: 'after', text: HOLD };
    expect(await memo.remember('ada', 'key', issued, 2_000, 1_000)).toMatchObject({ token: 'a token' });
    expect(await memo.findIssued('ada', 'key', 1_000)).toMatchObject({ token: 'a token' });
    await memo.close();
    await proxy.close();
  });

  test('L20: a server that dies under load loses nothing that was acknowledged, and the store goes on by itself', async () => {
    const ledger = await startedLedger();
    const store = new PostgresLedgerStore(connect(), ledger);
    const other = new PostgresLedgerStore(connect(), ledger);
    for (let round = 0; round < 2; round++) {
      const reported: string[] = [];
      let isOver = false;
      const work = [store, other].map(async (each, who) => {
        for (let n = 0; !isOver; n++) {
          const name = `round ${round} by ${who}: ${n}`;
          const done = await each.commit([candidate(name)], honestSeal()).catch((error: unknown) => error);
          if (done instanceof Error) expect(done).toMatchObject(UNAVAILABLE);
          else reported.push(name);
          if (reported.length >= 30) isOver = true;
        }
      });
      await Promise.all(work);
      isOver = false;
      const dying = [store, other].map((each, who) =>
        each.commit([candidate(`dying ${round} ${who}`)], honestSeal()).catch((error: unknown) => error),
      );
      await server.crash();
      for (const outcome of await Promise.all(dying))
        if (outcome instanceof Error) expect(outcome).toMatchObject(UNAVAILABLE);
      await expect(store.head()).rejects.toMatchObject(UNAVAILABLE);
      await server.restart();
      await expect.poll(() => isThere(store), SOON).toBe(true);
      const records = await checkStore(store);
      expect(records.map(({ name }) => name)).toEqual(expect.arrayContaining(reported));
    }
  });

  test('L20: a frozen server is given up in time, and its last statement takes effect once or not at all', async () => {
    const ledger = await startedLedger();
    const store = new PostgresLedgerStore(connect(server.host, { answerMs: 2_000 }), ledger);
    await store.head();
    const rows = await server.sql('SELECT pid FROM pg_stat_activity WHERE usename = $1', [SERVICE_ROLE]);
    const pids = rows.map(({ pid }) => Number(pid));
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    const outcome = store.commit([candidate('a')], honestSeal());
    await expect(outcome).rejects.toMatchObject(UNAVAILABLE);
    for (const pid of pids) process.kill(pid, 'SIGCONT');
    const { placements } = await store.commit([candidate('a')], honestSeal());
    expect(placements[0]?.record.index).toBe(1);
    expect(await checkStore(store)).toHaveLength(2);
  });

  test('L20: a process that stops in the middle of a commit holds up the others for seconds, not for ever', async () => {
    const ledger = await startedLedger();
    const store = new PostgresLedgerStore(connect(), ledger);
    const other = new PostgresLedgerStore(connect(), ledger);
    await store.head();
    const held = connect(server.host, { idleInTransactionMs: 300 }).use(REASONS);
    const released = held.repeatedly(async (session) => {
      await session.all({ text: 'BEGIN' }, { text: `SELECT 1 FROM ect.head WHERE ledger = '${ledger}' FOR UPDATE` });
      return other.commit([candidate('a')], honestSeal());
    });
    expect((await released).placements[0]).toMatchObject({ added: true, record: { index: 1 } });
  });

  test('L21: where all connections are taken a call is given up in time, and the next one works', async () => {
    const ledger = await startedLedger();
    const database = new PostgresDatabase(server.target(), 1, { connectMs: 200 });
    opened.push(database);
    const store = new PostgresLedgerStore(database, ledger);
    await database.use(REASONS).repeatedly(async () => {
      await expect(store.head()).rejects.toMatchObject({
        ...UNAVAILABLE,
        message: expect.stringContaining('no connection left'),
      });
    });
    expect((await store.head())?.size).toBe(1);
  });

  test('L21: of two transactions that wait for each other one is undone by the server, and runs again', async () => {
    const ledgers = [await startedLedger(), await startedLedger()];
    const met = Promise.withResolvers<void>();
    let arrived = 0;
    let attempts = 0;
    const lockBoth = (order: readonly string[]) =>
      connect()
        .use(REASONS)
        .repeatedly(async (session) => {
          attempts++;
          const lock = (ledger: string) => ({
            text: 'SELECT 1 FROM ect.head WHERE ledger = $1 FOR UPDATE',
            values: [ledger],
          });
          await session.all({ text: 'BEGIN' }, lock(order[0]!));
          if (++arrived === 2) met.resolve();
          await met.promise;
          await session.all(lock(order[1]!), { text: 'COMMIT' });
        });
    await Promise.all([lockBoth(ledgers), lockBoth(ledgers.toReversed())]);
    expect(attempts).toBe(3);
  });

  describe('a server with other settings', () => {
    afterAll(async () => {
      await server.crash();
      await server.restart();
    });

    test('L20: a commit that the standby has not confirmed is not acknowledged, also where the wait is cancelled', async () => {
      const ledger = await startedLedger();
      await server.crash();
      await server.restart(['synchronous_standby_names=nobody']);
      const store = new PostgresLedgerStore(connect(), ledger);
      const guard = new PostgresReplayGuard(connect(), ledger);
      // Settles with the outcomes, while every wait for the standby is cancelled.
      const cancelling = async <T>(calls: readonly Promise<T>[]) => {
        let isSettled = false;
        const outcomes = Promise.allSettled(calls).finally(() => {
          isSettled = true;
        });
        while (!isSettled) {
          await server.sql(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`);
        }
        return outcomes;
      };
      const commit = () => store.commit([candidate('a')], honestSeal());
      const claims = [
        guard.claim(tokenUse(), 2_000, 1_000),
        guard.claim(tokenUse({ jti: 'b', requestId: 'b' }), 2_000, 1_000),
      ];
      const guarded = { status: 'rejected', reason: { reason: 'REPLAY_GUARD_UNAVAILABLE' } };
      expect(await cancelling<unknown>([commit(), ...claims])).toMatchObject([
        { status: 'rejected', reason: UNAVAILABLE },
        guarded,
        guarded,
      ]);
      // It can be seen by now, and a failover would still lose it: to find it there is no acknowledgement either.
      expect((await store.head())?.size).toBe(2);
      expect(await cancelling([commit()])).toMatchObject([{ status: 'rejected', reason: UNAVAILABLE }]);
      await server.crash();
      await server.restart();
      const { placements } = await store.commit([candidate('a')], honestSeal());
      expect(placements[0]).toMatchObject({ added: false, record: { index: 1 } });
    });
  });
});
