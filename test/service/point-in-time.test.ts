// Point-in-time recovery of the database, as docs/operating.md says it: a base backup, an archive of the write-ahead log, a recovery to
// a moment before the last entries, and what becomes of those that were acknowledged after it.

import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import type { Issued, Receipt, Recorded, Verdict } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import {
  asUser,
  describeWithPostgres,
  end,
  giveToServer,
  PASSWORD,
  type PostgresServer,
  postgresUrl,
  serverFolder,
  startPostgres,
  startServer,
} from '../support/postgres.ts';
import { examineLedger } from '../support/recorded-ledger.ts';
import { makeReplicaFiles } from '../support/replica-files.ts';
import { runMain, type Settings, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { supervised } from '../support/supervised.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';

describeWithPostgres('a database that was recovered to a point in time', () => {
  let server: PostgresServer;
  let archive: string;
  let folder: string;
  let settings: Settings;
  const ledgerKey = generateLedgerKey('ledger.example/ect');
  const { verifierKey } = openLedgerKey(ledgerKey);

  beforeAll(async () => {
    server = await startPostgres();
    archive = serverFolder();
    await server.crash();
    // As the page says it: a segment that is there is whole, and is never written over.
    const command = `test ! -f ${archive}/%f && cp %p ${archive}/%f.part && mv ${archive}/%f.part ${archive}/%f`;
    await server.restart(['archive_mode=on', `archive_command=${command}`]);
    const files = makeReplicaFiles(ledgerKey);
    folder = files.folder;
    settings = { ...files.settings, ECT_POSTGRES_URL: postgresUrl(server.host) };
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  interface Entry {
    readonly token: string;
    readonly jti: string;
    readonly receipt: Receipt;
  }

  async function record(client: GrpcClient): Promise<Entry> {
    const request = { exec_act: 'a', aud: [AUDIENCE], level: 'LEVEL_L3' };
    const { token, claims, receipt } = await client.call<Issued & { receipt: Receipt }>(`${AUTHORITY}/Issue`, request);
    return { token, jti: claims.jti, receipt };
  }

  const verify = (client: GrpcClient, token: string) =>
    client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE });

  const ect = (dataDir: string, ...args: readonly string[]) =>
    runMain(args, { ...settings, ECT_LISTEN: '127.0.0.1:0', ECT_DATA_DIR: dataDir }, folder);

  function baseBackup(): string {
    const data = join(serverFolder(), 'data');
    const args = [
      '-D',
      data,
      '-h',
      server.host,
      '-p',
      `${server.port}`,
      '-U',
      'postgres',
      '-X',
      'stream',
      '-c',
      'fast',
    ];
    const env = { PATH: process.env['PATH'], PGPASSWORD: PASSWORD };
    const made = spawnSync(...asUser('pg_basebackup', args), { encoding: 'utf8', cwd: server.host, env });
    if (made.status !== 0) throw new Error(made.stderr);
    return data;
  }

  /** Recovers the base backup to the moment, in the place of the server that was lost. Answers how it ends. */
  async function recover(data: string, moment: string): Promise<() => Promise<void>> {
    const signal = join(data, 'recovery.signal');
    writeFileSync(signal, '', { mode: 0o600 });
    giveToServer(signal);
    const child = await startServer(data, server.host, [
      `restore_command=cp ${archive}/%f %p`,
      `recovery_target_time=${moment}`,
      'recovery_target_action=promote',
    ]);
    const isRecovering = async () => (await server.sql('SELECT pg_is_in_recovery() AS is'))[0]?.['is'];
    await expect.poll(isRecovering, SOON).toBe(false);
    return () => end(child, 'SIGQUIT');
  }

  test('L8, L20: what was acknowledged after the point is missed by every replica that has shown it, and goes on only where the loss is accepted, and then stated', async () => {
    await using first = await supervised(() => startService(settings));
    await using second = await supervised(() => startService(settings));
    const clients = [dial(first.address), dial(second.address)] as const;
    const entries: Entry[] = [];
    const recordTwo = async () => {
      for (const client of clients) entries.push(await record(client));
    };
    await recordTwo();
    const data = baseBackup();
    await recordTwo();
    const kept = [...entries];
    const moment = String((await server.sql('SELECT clock_timestamp()::text AS now'))[0]?.['now']);

    await recordTwo();
    await recordTwo();
    const lost = entries.slice(kept.length);
    const [used] = kept;
    expect(await verify(clients[0], used!.token)).toMatchObject({ valid: true });
    const [segment] = await server.sql('SELECT pg_walfile_name(pg_switch_wal()) AS name');
    await expect.poll(() => readdirSync(archive), SOON).toContain(segment?.['name']);
    await server.crash();
    const stop = await recover(data, moment);

    try {
      // A replica that goes on running has seen more than there is: it writes nothing.
      const append = () => clients[0].call<Recorded>(`${AUTHORITY}/AppendLedger`, { token: lost[0]!.token });
      const code = () => append().catch(({ code }: { readonly code: number }) => code);
      await expect.poll(code, SOON).toBe(15);
      const [head] = await server.sql('SELECT size FROM ect.head');
      for (const service of [first, second]) {
        await service.stop();
        // As a start that is attempted again and again: it changes nothing.
        const { code, stderr } = await ect(service.dataDir, 'serve');
        expect(code).not.toBe(0);
        expect(stderr).toMatch(
          /^The database holds \d+ entries of the ledger, but this replica has shown \d+ entries/m,
        );
        expect(stderr).toContain('ect ledger accept-loss --data-dir');
        expect((await ect(service.dataDir, 'ledger', 'new-origin', '--yes')).stderr).toContain('a database of its own');
      }
      expect(await server.sql('SELECT size FROM ect.head')).toEqual([head]);
      const earlier = join(folder, 'earlier.txt');
      writeFileSync(earlier, lost.at(-1)!.receipt.inclusion.checkpoint);
      const audit = ['audit', '--ledger-key', verifierKey, '--earlier', earlier];
      expect((await ect(first.dataDir, ...audit)).code).toBe(1);

      const stated = new Set<string>();
      for (const { dataDir } of [first, second]) {
        const accepted = await ect(dataDir, 'ledger', 'accept-loss', '--note', 'the disk failed', '--yes', '--json');
        expect(accepted.code, accepted.stdout + accepted.stderr).toBe(0);
        // Where both have shown the same, the second finds the entry of the first.
        stated.add((JSON.parse(accepted.stdout) as { readonly index: string }).index);
        // There is nothing to accept any more.
        expect((await ect(dataDir, 'ledger', 'accept-loss', '--yes')).code).not.toBe(0);
      }
      const states = await server.sql(`SELECT idx FROM ect.entries WHERE scope = convert_to('†loss', 'UTF8')`);
      expect(new Set(states.map(({ idx }) => idx))).toEqual(stated);
      await supervised(() => first.restart());
      await supervised(() => second.restart());
      for (const client of clients) client[Symbol.dispose]();
      using restarted = dial(first.address);
      // Tokens from after the point still verify, and a caller that has one can have it recorded again.
      const again = await restarted.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token: lost[0]!.token });
      expect(again).toMatchObject({ duplicate: false });
      // The uses of that time are forgotten too: docs/operating.md says what to do about it.
      expect(await verify(restarted, used!.token)).toMatchObject({ valid: true });
      const acknowledged = [...kept, { jti: lost[0]!.jti, receipt: again.receipt }];
      const { size, ...faults } = await examineLedger(server.sql, verifierKey, {
        indexes: new Map(acknowledged.map(({ jti, receipt }) => [jti, Number(receipt.inclusion.leaf_index)])),
        checkpoints: new Set(acknowledged.map(({ receipt }) => receipt.inclusion.checkpoint)),
      });
      expect(faults).toEqual({ gaps: [], doubles: [], lost: [], forks: [] });
      expect(size).toBeGreaterThan(kept.length);
      // The ledger is whole, names its losses, and contradicts the witness of what was lost.
      const whole = await ect(first.dataDir, 'audit', '--ledger-key', verifierKey);
      expect(whole.code, whole.stderr + whole.stdout).toBe(0);
      expect(whole.stdout + whole.stderr).toMatch(/loss/i);
      expect((await ect(first.dataDir, ...audit)).code).toBe(1);
    } finally {
      await Promise.all([first.kill(), second.kill()]);
      await stop();
    }
  });
});
