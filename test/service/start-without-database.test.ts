// A dependency that is lost during the start, at each step of it: the database. The start waits for it and goes on, or ends with exit code
// 1 and a message that names it.

import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import { startService } from '../../src/service/index.ts';
import type { Issued } from '../interop/answers.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { type LosingProxy, startLosingProxy } from '../stores/postgres/losing-proxy.ts';
import { FULL, rounds } from '../support/full.ts';
import { describeWithPostgres, type PostgresServer, postgresUrl, startPostgres } from '../support/postgres.ts';
import { examineLedger } from '../support/recorded-ledger.ts';
import { makeReplicaFiles, type ReplicaFiles } from '../support/replica-files.ts';
import { runMain } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

/** Of all requests of a start each so-many-th. */
const STEP = rounds(1, 7);
/** A start waits 15 s for its database. */
const AWAY_FROM = FULL ? [1, 8, 20] : [8];

describeWithPostgres('a start that loses its database', () => {
  let files: ReplicaFiles;
  let server: PostgresServer;
  let proxy: LosingProxy;
  const ledgerKey = generateLedgerKey('ledger.example/ect');
  beforeAll(async () => {
    files = makeReplicaFiles(ledgerKey);
    server = await startPostgres();
    proxy = await startLosingProxy(server);
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
    await rm(files.folder, { recursive: true });
  });

  let replicas = 0;
  async function settings(database: string): Promise<Record<string, string>> {
    await server.makeDatabase(database);
    return {
      ...files.settings,
      ECT_POSTGRES_URL: postgresUrl(proxy.host, database),
      ECT_LISTEN: '127.0.0.1:0',
      ECT_LOG_LEVEL: 'silent',
      ECT_DATA_DIR: join(files.folder, `replica-${++replicas}`),
    };
  }

  async function start(database: string): Promise<void> {
    const service = await startService(readConfig(await settings(database)));
    try {
      using client = dial(new URL(service.url).host);
      const request = { exec_act: 'a', aud: ['urn:example:reviewer'], level: 'LEVEL_L3', request_id: randomUUID() };
      const issue = () => client.call<Issued>('ect.v1.AuthorityService/Issue', request);
      // The last requests of a start are its background work, so the database may be lost once more: the error says to repeat the call.
      const repeated = issue().catch((error: unknown) => {
        expect(error).toMatchObject({ info: { reason: 'LEDGER_UNAVAILABLE' } });
        return vi.waitFor(issue, SOON);
      });
      expect((await repeated).token).not.toBe('');
    } finally {
      await service.stop(1_000);
    }
    const sql = (text: string, values?: readonly unknown[]) => server.sql(text, values, database);
    const { verifierKey } = openLedgerKey(ledgerKey);
    const { size, ...faults } = await examineLedger(sql, verifierKey, { indexes: new Map(), checkpoints: new Set() });
    expect(faults).toEqual({ gaps: [], doubles: [], lost: [], forks: [] });
    expect(size).toBeGreaterThan(0);
  }

  test('L20: whichever request of a start is the last that the database hears or answers, the start goes on when it is back', async () => {
    proxy.loseAt(0, 'before', 0);
    const service = await startService(readConfig(await settings('whole')));
    const { requests } = proxy;
    await service.stop(1_000);
    expect(requests).toBeGreaterThan(10);
    for (let request = 1; request <= requests; request += STEP) {
      for (const when of ['before', 'after'] as const) {
        proxy.loseAt(request, when, 2);
        await start(`lost_${when}_${request}`);
        expect(proxy.turnedAway, `${when} ${request}`).toBeGreaterThanOrEqual(2);
      }
    }
  });

  test('L20: where it stays away the start ends with exit code 1, names the database and the setting, and says what to do', async () => {
    for (const request of AWAY_FROM) {
      const database = `away_${request}`;
      proxy.loseAt(request, 'before', Number.POSITIVE_INFINITY);
      const { code, stderr } = await runMain(['serve'], { ...(await settings(database)), ECT_LOG_LEVEL: 'error' });
      expect({ code, stderr }).toMatchObject({ code: 1 });
      const message = stderr.split('\n').find((line) => line.includes('The start has asked'));
      expect(message, stderr).toBe(
        `The database of the service cannot be reached. The start has asked the database "${database}" at ${proxy.host}:5432 for 15 s: ` +
          'start it, or correct ECT_POSTGRES_URL, and start the service again.',
      );
    }
  });
});
