import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Costs, type Setup, simulate } from '../../bench/scaling-model.ts';
import { MEASURED, scalingTables, withTables } from '../../bench/scaling-tables.ts';

const COSTS: Costs = { serveMs: 0.1, commitMs: 1, entryMs: 0.01, gatherMs: 2, maxEntries: 256 };
const SETUP: Setup = {
  replicas: 1,
  callers: 1,
  roundTripMs: 1,
  syncMs: 2,
  logs: 1,
  databaseCores: 1,
  seconds: 2,
  seed: 1,
};

describe('the model of replicas over one database', () => {
  test('one caller waits for the event loop, two round trips, the commit and the disk', () => {
    const { perSecond, entriesPerCommit, p50Ms } = simulate(COSTS, SETUP);
    expect(entriesPerCommit).toBe(1);
    expect(p50Ms).toBeGreaterThan(0.1 + 2 + 0.7 * 1.01 + 2);
    expect(p50Ms).toBeLessThan(0.1 + 2 + 1.3 * 1.01 + 2);
    expect(perSecond).toBeCloseTo(1000 / 5.11, -1);
  });

  test('the lock of a ledger bounds it, whatever the number of replicas; ledgers apart have a lock each', () => {
    const perReplica = 1_024;
    // 256 entries: 1 + 2.56 of work, a round trip and the disk.
    const limit = (256 * 1000) / (3.56 + 1 + 2);
    for (const replicas of [8, 16]) {
      const setup = { ...SETUP, databaseCores: 16, replicas, callers: replicas * perReplica };
      const { perSecond, entriesPerCommit } = simulate(COSTS, setup);
      expect(perSecond / limit).toBeGreaterThan(0.95);
      expect(perSecond / limit).toBeLessThan(1.05);
      expect(entriesPerCommit).toBeGreaterThan(250);
    }
    const apart = simulate(COSTS, { ...SETUP, databaseCores: 16, replicas: 16, callers: 16 * perReplica, logs: 2 });
    expect(apart.perSecond / limit).toBeGreaterThan(1.7);
  });

  test('an event loop bounds its replica, and more callers make larger commits', () => {
    const slow = { ...COSTS, serveMs: 5 };
    expect(simulate(slow, { ...SETUP, callers: 64 }).perSecond).toBeCloseTo(200, -1);
    const [few, many] = [8, 128].map((callers) => simulate(COSTS, { ...SETUP, callers }).entriesPerCommit);
    expect(many).toBeGreaterThan(4 * few!);
  });

  test('a seed makes one outcome', () => {
    expect(simulate(MEASURED, { ...SETUP, callers: 50 })).toEqual(simulate(MEASURED, { ...SETUP, callers: 50 }));
    expect(simulate(MEASURED, { ...SETUP, callers: 50, seed: 2 })).not.toEqual(
      simulate(MEASURED, { ...SETUP, callers: 50 }),
    );
  });
});

describe('docs/scaling.md', () => {
  test('shows the tables that the simulation prints, and the parameters that it has', async () => {
    const page = await readFile(fileURLToPath(new URL('../../docs/scaling.md', import.meta.url)), 'utf8');
    expect(page, 'run `npx node bench/simulate-scaling.ts --write`').toBe(withTables(page, scalingTables()));
    for (const [name, value] of Object.entries(MEASURED)) {
      expect(page, name).toMatch(
        new RegExp(`^\\| \`${name}\` \\| ${value.toLocaleString('en')} (?:ms|entries|bytes) \\|`, 'm'),
      );
    }
  });
});
