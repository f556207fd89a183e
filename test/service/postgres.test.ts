// Several services over one PostgreSQL database: one ledger, one replay guard, whichever of them a caller meets or loses.

import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateLedgerKey, Ledger, openLedgerKey } from '../../src/ledger/index.ts';
import { MarkFile } from '../../src/stores/mark-file.ts';
import { changeSchema, PostgresDatabase, PostgresLedgerStore } from '../../src/stores/postgres/index.ts';
import type { Issued, Recorded, Verdict } from '../interop/answers.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { rounds } from '../support/full.ts';
import { candidate } from '../support/honest-seal.ts';
import {
  describeWithPostgres,
  PASSWORD,
  type PostgresServer,
  postgresUrl,
  SERVICE_ROLE,
  startPostgres,
} from '../support/postgres.ts';
import { makeReplicaFiles } from '../support/replica-files.ts';
import { runMain, type Settings, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { expectPending, expectRecorded, issueLater } from './recording-calls.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';

describeWithPostgres('services over PostgreSQL', () => {
  let server: PostgresServer;
  let folder: string;
  let settings: Settings;
  const ledgerKey = generateLedgerKey('ledger.example/ect');

  beforeAll(async () => {
    server = await startPostgres();
    const files = makeReplicaFiles(ledgerKey);
    folder = files.folder;
    settings = { ...files.settings, ECT_POSTGRES_URL: postgresUrl(server.host) };
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('L20: while the database is unavailable calls that need it are rejected immediately, others are served, readiness names it, and the service recovers by itself', async () => {
    await using service = await startService(settings);
    using client = dial(service.address);
    const issued = () => client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: [AUDIENCE] });
    const { token } = await issued();
    const append = () => client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
    const readiness = async () => (await fetch(`${service.url}/readyz`)).status;
    await server.crash();
    await expect(append()).rejects.toMatchObject({ code: 14, reason: 'LEDGER_UNAVAILABLE' });
    const verified = client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE });
    await expect(verified).rejects.toMatchObject({ code: 14, reason: 'REPLAY_GUARD_UNAVAILABLE' });
    await expect.poll(readiness, SOON).toBe(503);
    const page = async () => (await fetch(`${service.url}/readyz`)).json();
    const missing = { ready: false, checks: { ledger: false, database: false, integrity: true } };
    await expect.poll(page, SOON).toMatchObject(missing);
    const rejected = await Promise.allSettled(Array.from({ length: 50 }, append));
    // Only calls that did not wait for the database get a time to wait before a retry.
    for (const outcome of rejected) {
      const info = { metadata: { retry_after_seconds: '1' } };
      expect(outcome).toMatchObject({ reason: { code: 14, reason: 'LEDGER_UNAVAILABLE', info } });
    }
    expect((await issued()).token).not.toBe('');
    const skipping = { token, audience: AUDIENCE, replay_mode: 'REPLAY_MODE_SKIP' };
    expect(await client.call<Verdict>(`${AUTHORITY}/Verify`, skipping)).toMatchObject({ valid: true });
    expect(await (await fetch(`${service.url}/.well-known/jwks.json`)).json()).toMatchObject({ keys: [{ kty: 'EC' }] });
    // The key manager and readiness have asked several times by now.
    await new Promise((resolve) => setTimeout(resolve, rounds(6_000, 2_000)));
    await server.restart();
    await expect.poll(readiness, SOON).toBe(200);
    expect(await append()).toMatchObject({ duplicate: false });
    await expect.poll(() => service.events('keys-recovered').length, SOON).toBe(1);
    // Each state is said once, when it begins and when it ends.
    for (const name of ['database-lost', 'database-found', 'keys-failed', 'marks-failed']) {
      expect(service.events(name), name).toHaveLength(1);
    }
    // Those that met the failure first, and none that was rejected at once.
    expect(service.events('dependency-failed').length).toBeLessThan(10);
    expect(await service.stop()).toBe(0);
    expect(service.stderr()).not.toContain(PASSWORD);
  });

  /** Has the row that all appends wait for, until it is disposed of. */
  async function holdHead(): Promise<AsyncDisposable> {
    const { host, port, database } = server.target();
    const holder = new Client({ host, port, database, user: 'postgres', password: PASSWORD });
    await holder.connect();
    await holder.query('BEGIN; SELECT 1 FROM ect.head FOR UPDATE');
    return { [Symbol.asyncDispose]: () => holder.end() };
  }

  test('L33: what a replica has promised with a token is known to the others, and carried out by them when it is gone', async () => {
    await using gone = await startService(settings);
    await using stays = await startService(settings);
    const client = dial(gone.address);
    using other = dial(stays.address);
    const issued = [];
    {
      await using _holder = await holdHead();
      issued.push(...(await Promise.all(Array.from({ length: 20 }, () => issueLater(client)))));
      for (const token of issued) await expectPending(other, token);
      await gone.kill();
      client[Symbol.dispose]();
    }
    for (const token of issued) await expectRecorded(other, token);
    const open = () => server.sql('SELECT count(*) AS open FROM ect.recording_orders');
    await expect.poll(open, SOON).toEqual([{ open: '0' }]);
    expect(await stays.stop()).toBe(0);
  });

  /** What a replica does that has recorded an entry, and kept in this mark that it has shown it. */
  async function showEntry(path: string): Promise<void> {
    const database = new PostgresDatabase(server.target(), 2);
    const store = new PostgresLedgerStore(database);
    const mark = MarkFile.open(path, 0);
    const ledger = await Ledger.open({ store, mark, key: openLedgerKey(ledgerKey), nowMs: Date.now });
    await ledger.append(candidate('shown'));
    await Promise.all([store.close(), mark.close()]);
    await database.close();
  }

  describe('a start', () => {
    const rejected = async (differs: Settings) => {
      const { code, stderr, stdout } = await runMain(
        ['serve'],
        { ...settings, ...differs, ECT_LISTEN: '127.0.0.1:0' },
        folder,
      );
      expect(stderr + stdout).not.toContain(PASSWORD);
      expect(code).not.toBe(0);
      return stderr;
    };

    test('a replica with another ledger key is rejected', async () => {
      const other = join(folder, 'other.key');
      writeFileSync(other, generateLedgerKey('ledger.example/other'), { mode: 0o600 });
      const dataDir = join(folder, 'refused');
      expect(await rejected({ ECT_LEDGER_KEY_FILE: other, ECT_DATA_DIR: dataDir })).toContain(
        'The database holds the ledger ledger.example/ect',
      );
    });

    test('L8: a database that lacks what this replica has shown is rejected', async () => {
      const dataDir = join(folder, 'has-shown');
      mkdirSync(dataDir, { mode: 0o700 });
      await showEntry(join(dataDir, 'ledger.mark'));
      await server.sql('CREATE DATABASE elsewhere');
      await changeSchema(server.target('postgres', 'elsewhere'), { kind: 'init', role: SERVICE_ROLE });
      const url = settings['ECT_POSTGRES_URL']?.replace('/postgres?', '/elsewhere?');
      const stderr = await rejected({ ECT_POSTGRES_URL: url, ECT_DATA_DIR: dataDir });
      expect(stderr).toMatch(/^The database holds 0 entries of the ledger, but this replica has shown [1-9]/m);
    });
  });
});
