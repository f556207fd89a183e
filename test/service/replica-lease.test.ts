import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FULL } from '../support/full.ts';
import { describeWithPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { makeReplicaFiles } from '../support/replica-files.ts';
import { type ServiceProcess, type Settings, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const REPLICAS = FULL ? 3 : 2;

describeWithPostgres('background work of replicas', () => {
  let server: PostgresServer;
  let folder: string;
  let settings: Settings;
  beforeAll(async () => {
    server = await startPostgres();
    const files = makeReplicaFiles();
    folder = files.folder;
    settings = { ...files.settings, ...(await server.makeDatabase('lease')) };
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Which of them say that they do it. */
  async function workers(replicas: readonly ServiceProcess[]): Promise<readonly ServiceProcess[]> {
    const says = await Promise.all(
      replicas.map(async ({ url }) => /^ect_background_lease 1$/m.test(await (await fetch(`${url}/metrics`)).text())),
    );
    return replicas.filter((_, place) => says[place]);
  }
  /** An expired row goes: somebody sweeps. */
  async function expectSweep(): Promise<void> {
    await server.sql(
      `INSERT INTO ect.once VALUES ('main', 1, sha256(random()::text::bytea), '', '', '', 1)`,
      [],
      'lease',
    );
    await expect.poll(() => server.sql('SELECT 1 FROM ect.once', [], 'lease'), SOON).toEqual([]);
  }

  // A holder that is killed keeps the others waiting for 15 s; one that stops gives the lease back.
  test.each(FULL ? (['stop', 'kill'] as const) : (['stop'] as const))(
    'is done by one of them, and after its %s by another',
    async (end) => {
      const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => startService(settings)));
      try {
        await expect.poll(async () => (await workers(replicas)).length, SOON).toBe(1);
        await expectSweep();
        const [first] = await workers(replicas);
        const others = replicas.filter((replica) => replica !== first);
        await first![end]();
        await expect.poll(async () => (await workers(others)).length, SOON).toBe(1);
        await expectSweep();
        expect((await workers(others))[0]?.events('background-taken')).toHaveLength(1);
      } finally {
        await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
      }
    },
    60_000,
  );
});
