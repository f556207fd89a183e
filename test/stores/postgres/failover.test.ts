// Failover to a synchronous standby, with real servers: the primary dies under load, the standby is promoted, and stores that know
// both find it by themselves.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { underDeadline } from '../../../src/concurrency/call-deadline.ts';
import { generateLedgerKey, Ledger, openLedgerKey } from '../../../src/ledger/index.ts';
import { PostgresDatabase, PostgresLedgerStore, PostgresReplayGuard } from '../../../src/stores/postgres/index.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { FULL, rounds } from '../../support/full.ts';
import { candidate } from '../../support/honest-seal.ts';
import { describeWithPostgres } from '../../support/postgres.ts';
import { type PostgresPair, startPair } from '../../support/postgres-pair.ts';
import { examineLedger } from '../../support/recorded-ledger.ts';
import { SOON } from '../../support/soon.ts';
import { supervised } from '../../support/supervised.ts';

const FAILOVERS = rounds(10, 1);
const REPLICAS = 2;
const CALLERS = 8;
/** Acknowledged entries between two failovers, at least. */
const ENTRIES = rounds(200, 60);
const PAUSE_MS = 20;

describeWithPostgres('a primary with a synchronous standby', () => {
  let pair: PostgresPair;
  const key = openLedgerKey(generateLedgerKey('ledger.example/failover'));
  beforeAll(async () => {
    pair = await startPair();
  });
  afterAll(() => pair.stop());

  test('L10, L20: the primary is killed under load and the standby promoted: nothing acknowledged is lost, nothing forks, and all goes on by itself', async () => {
    /** Of each replica. */
    const reported: string[][] = [];
    const replicas: Replica[] = [];
    for (let n = 0; n < REPLICAS; n++) {
      const open = () => {
        const own: string[] = [];
        reported[n] = own;
        return openReplica(key, (line) => own.push(line));
      };
      replicas.push(await supervised(open));
    }
    const indexes = new Map<string, number>();
    const checkpoints = new Set<string>();
    const used: string[] = [];
    let isOver = false;
    const reasons = new Set<string>();

    const call = async (caller: number) => {
      const { ledger, guard } = replicas[caller % REPLICAS]!;
      for (let n = 0; !isOver; n++) {
        const name = `entry ${n} of caller ${caller}`;
        // As a caller does: the same call again until it is answered.
        while (!isOver) {
          try {
            const { record, receipt } = await ledger.append(candidate(name));
            indexes.set(name, record.index);
            if (receipt !== undefined) checkpoints.add(receipt.checkpoint);
            const use = tokenUse({ jti: name, requestId: name });
            await guard.claim(use, 4_000_000_000, 1_000);
            used.push(name);
            break;
          } catch (error) {
            reasons.add((error as { readonly reason?: string }).reason ?? String(error));
            await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
          }
        }
      }
    };
    const reach = async (count: number) => {
      await expect.poll(() => indexes.size, { timeout: 10 * SOON.timeout, interval: 5 }).toBeGreaterThanOrEqual(count);
    };

    const load = Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)));
    const recoveries: number[] = [];
    for (let round = 0; round < FAILOVERS; round++) {
      await reach(indexes.size + ENTRIES);
      const diedAtMs = performance.now();
      await pair.crash(round % 2 === 0 ? 'SIGKILL' : 'SIGQUIT');
      await pair.promote();
      await reach(indexes.size + CALLERS);
      recoveries.push(performance.now() - diedAtMs);
      if (round < FAILOVERS - 1) await pair.rebuild();
    }
    isOver = true;
    await load;

    const { size, ...faults } = await examineLedger(pair.sql, key.verifierKey, { indexes, checkpoints });
    expect(faults).toEqual({ gaps: [], doubles: [], lost: [], forks: [] });
    expect(size).toBeGreaterThanOrEqual(indexes.size);
    // A use that was acknowledged is used up on the standby too.
    for (const name of used.slice(-200)) {
      const use = tokenUse({ jti: name, requestId: 'somebody else' });
      expect(await replicas[0]!.guard.claim(use, 4_000_000_000, 1_000)).toBe('replayed');
    }
    // An outage is reported once, and its end before the next one.
    for (const own of reported) {
      expect(own.filter((line, place) => line === 'lost' && own[place + 1] === 'lost')).toEqual([]);
      expect(own.at(-1)).toContain('found');
    }
    expect([...reasons].filter((reason) => !/^(?:LEDGER|REPLAY_GUARD)_UNAVAILABLE$/.test(reason))).toEqual([]);
    console.info(
      `${FAILOVERS} failovers, ${size} entries; from the death of the primary to the next acknowledged calls:`,
    );
    console.info(recoveries.map((ms) => `${Math.round(ms)} ms`).join(', '));
    await Promise.all(replicas.map((replica) => replica.close()));
  });

  test.runIf(FULL)(
    'L10, L20: a primary that was frozen while the standby was promoted, and comes back, is not used any more',
    async () => {
      await pair.rebuild();
      const [head] = await pair.sql('SELECT verifier_key FROM ect.identities');
      expect(head?.['verifier_key']).toBe(key.verifierKey);
      const found: string[] = [];
      const replica = await supervised(() => openReplica(key, (line) => found.push(line)));
      const append = (name: string) =>
        underDeadline(performance.now() + 1_000, () => replica.ledger.append(candidate(name))).then(
          ({ record }) => record.index,
          (error: unknown) => (error as { readonly reason: string }).reason,
        );
      const before = await append('before it froze');
      expect(before).toBeTypeOf('number');
      const thaw = pair.freeze();
      const open = append('while it was frozen');
      const read = replica.ledger.checkpoint();
      await pair.promote();
      expect(await open).toBe('LEDGER_UNAVAILABLE');
      await expect.poll(() => append('on the new primary'), { timeout: 30_000 }).toBeTypeOf('number');
      expect(found.at(-1)).toBe(`found ${pair.primary}:5432`);
      thaw();
      // What was asked of it is answered by the other one.
      expect((await read).size).toBeGreaterThan(before as number);
      for (let n = 0; n < 40; n++) {
        expect(await append(`after it came back ${n}`)).toBeTypeOf('number');
        await replica.ledger.checkpoint();
      }
      const { size, ...faults } = await examineLedger(pair.sql, key.verifierKey, {
        indexes: new Map(),
        checkpoints: new Set(),
      });
      expect(faults).toEqual({ gaps: [], doubles: [], lost: [], forks: [] });
      expect(size).toBeGreaterThan(before as number);
      await replica.close();
    },
  );

  interface Replica {
    readonly ledger: Ledger;
    readonly guard: PostgresReplayGuard;
    close(): Promise<void>;
  }

  async function openReplica(key: ReturnType<typeof openLedgerKey>, tell: (line: string) => void): Promise<Replica> {
    const database = new PostgresDatabase(
      pair.target(),
      4,
      {},
      {
        databaseLost: () => tell('lost'),
        databaseFound: (server) => tell(`found ${server}`),
      },
    );
    const store = new PostgresLedgerStore(database);
    const guard = new PostgresReplayGuard(database);
    const close = async () => {
      await Promise.all([store.close(), guard.close()]);
      await database.close();
    };
    try {
      const ledger = await Ledger.open({ store, key, nowMs: Date.now });
      return { ledger, guard, close: () => ledger.drain().then(close) };
    } catch (error) {
      await close();
      throw error;
    }
  }
});
