// A service whose database fails over, freezes, or cuts a connection after COMMIT was sent. What callers get, and what is left.

import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import type { Issued, Receipt, Recorded, Verdict } from '../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { startCutProxy } from '../stores/postgres/cut-proxy.ts';
import { rounds } from '../support/full.ts';
import { describeWithPostgres, SERVICE_ROLE, startPostgres } from '../support/postgres.ts';
import { startPair } from '../support/postgres-pair.ts';
import { examineLedger } from '../support/recorded-ledger.ts';
import { makeReplicaFiles } from '../support/replica-files.ts';
import { type Settings, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
/** A tenth of it is the time to tell a caller: half a second, which a busy machine has too. */
const DEADLINE_MS = 5_000;
/** Longer than the service waits for a database, whatever it asks of it. */
const LONG_MS = 120_000;
const FROZEN_MS = rounds(20_000, 6_000);
const FAILOVERS = rounds(3, 1);
const CALLERS = 6;

describeWithPostgres('a service whose database fails', () => {
  let folder: string;
  let settings: Settings;
  const ledgerKey = generateLedgerKey('ledger.example/ect');
  const { verifierKey } = openLedgerKey(ledgerKey);

  beforeAll(async () => {
    ({ folder, settings } = makeReplicaFiles(ledgerKey));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const over = (...hosts: readonly string[]): Settings => ({
    ...settings,
    ECT_POSTGRES_URL: `postgres:///postgres?host=${hosts.join(',')}&user=${encodeURIComponent(SERVICE_ROLE)}`,
  });

  type RecordedIssue = Issued & { readonly receipt: Receipt };
  const recordedIssue = (client: GrpcClient, key: string, deadlineMs = DEADLINE_MS) =>
    client.call<RecordedIssue>(
      `${AUTHORITY}/Issue`,
      { exec_act: 'a', aud: [AUDIENCE], level: 'LEVEL_L3', request_id: key.replaceAll(' ', '-') },
      { deadline: Date.now() + deadlineMs },
    );

  test('L10, L20: at a failover the service finds the promoted standby by itself, and keeps what it has acknowledged', async () => {
    const pair = await startPair();
    await using service = await startService(over(...pair.hosts));
    using client = dial(service.address);
    const indexes = new Map<string, number>();
    const checkpoints = new Set<string>();
    let isOver = false;
    const call = async (caller: number) => {
      for (let task = 0; !isOver; task++) {
        try {
          const key = `task ${task} of caller ${caller}, which is long enough`;
          const { claims, receipt } = await recordedIssue(client, key);
          const { leaf_index: index } = receipt.inclusion;
          indexes.set(claims.jti, Number(index));
          checkpoints.add(receipt.inclusion.checkpoint);
        } catch (error) {
          if (!(error instanceof CallError)) throw error;
          // Never DEADLINE_EXCEEDED: the rejection comes within the deadline and says what did not answer.
          expect(error.code, error.message).toBe(14);
          await new Promise((resolve) => setTimeout(resolve, 50));
          task--;
        }
      }
    };
    const reach = (count: number) => expect.poll(() => indexes.size, SOON).toBeGreaterThanOrEqual(count);
    const load = Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)));
    for (let round = 0; round < FAILOVERS; round++) {
      await reach(indexes.size + 30);
      const diedAtMs = performance.now();
      await pair.crash(round % 2 === 0 ? 'SIGQUIT' : 'SIGKILL');
      await pair.promote();
      const promotedAtMs = performance.now();
      await reach(indexes.size + CALLERS);
      const [recoveredMs, sinceMs] = [diedAtMs, promotedAtMs].map((atMs) => Math.round(performance.now() - atMs));
      console.info(`recovered ${recoveredMs} ms after the primary died, ${sinceMs} ms after the promotion`);
      if (round < FAILOVERS - 1) await pair.rebuild();
    }
    isOver = true;
    await load;
    const { size, ...faults } = await examineLedger(pair.sql, verifierKey, { indexes, checkpoints });
    expect(faults).toEqual({ gaps: [], doubles: [], lost: [], forks: [] });
    expect(size).toBeGreaterThan(indexes.size);
    const found = service.events('database-found').map(({ server }) => server);
    expect(found[0]).toBe(`${pair.hosts[0]}:5432`);
    expect(found.at(-1)).toBe(`${pair.primary}:5432`);
    await expect.poll(async () => (await fetch(`${service.url}/readyz`)).status, SOON).toBe(200);
    expect(await service.stop()).toBe(0);
    await pair.stop();
  });

  test('L20: while the server is frozen each call is answered within its deadline, and the rest is served as ever', async () => {
    const server = await startPostgres();
    await using service = await startService(over(server.host));
    using client = dial(service.address);
    const { token } = await recordedIssue(client, 'before it is frozen, and long enough', 10_000);
    const thaw = server.freeze();
    // DEADLINE_EXCEEDED is what the client itself says: any other code has reached it before.
    const ends = async (kind: string, call: Promise<unknown>, code: number) => {
      const outcome = await call.then(
        () => 0,
        (error: unknown) => (error instanceof CallError ? error.code : -1),
      );
      expect(outcome, kind).toBe(code);
    };
    try {
      const frozenAtMs = performance.now();
      for (let n = 0; performance.now() - frozenAtMs < FROZEN_MS; n++) {
        const options = { deadline: Date.now() + DEADLINE_MS };
        const request = { token, audience: AUDIENCE };
        await Promise.all([
          ends('recorded', recordedIssue(client, `while it is frozen ${n}, and long enough`), 14),
          ends('verified', client.call<Verdict>(`${AUTHORITY}/Verify`, request, options), 14),
          ends('local', client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: [AUDIENCE] }, options), 0),
          ends(
            'local',
            client.call(`${AUTHORITY}/Verify`, { ...request, replay_mode: 'REPLAY_MODE_SKIP' }, options),
            0,
          ),
        ]);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      thaw();
    }
    await expect.poll(async () => (await fetch(`${service.url}/readyz`)).status, SOON).toBe(200);
    expect((await recordedIssue(client, 'after it was frozen, and long enough')).receipt.inclusion.checkpoint).not.toBe(
      '',
    );
    await expect.poll(() => service.events('database-found').length, SOON).toBe(1);
    expect(service.events('database-lost')).toHaveLength(1);
    expect(service.events('bug')).toEqual([]);
    expect(await service.stop()).toBe(0);
    await server.stop();
  });

  test.each(['frozen', 'gone'] as const)(
    'L20: while the server is %s a caller that waits longer than the service gets UNAVAILABLE and a time for its retry',
    async (how) => {
      const server = await startPostgres();
      await using service = await startService(over(server.host));
      using client = dial(service.address);
      const issued = async () =>
        (await client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: [AUDIENCE] })).token;
      const tokens = await Promise.all(Array.from({ length: 3 }, issued));
      const batch = { items: [{ exec_act: 'a', aud: [AUDIENCE] }], request_id: 'a-batch-that-finds-no-database' };
      // Longer than any wait of the service: each that is answered was answered by it.
      const options = () => ({ deadline: Date.now() + LONG_MS });
      const rounds = async (round: number) => {
        const calls = tokens.flatMap((token, n) => [
          recordedIssue(client, `round ${round} ${n} while it is ${how}, and long enough`, LONG_MS),
          client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token }, options()),
          client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE }, options()),
          client.call(`${AUTHORITY}/BatchIssue`, { ...batch, request_id: `${batch.request_id}-${n}` }, options()),
        ]);
        for (const outcome of await Promise.allSettled(calls)) {
          expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 14 } });
          expect((outcome as { reason: CallError }).reason.retrySeconds).toBeGreaterThan(0);
        }
      };
      const thaw = how === 'frozen' ? server.freeze() : undefined;
      if (how === 'gone') await server.crash();
      try {
        // Those that meet the failure first, and those that come while it is known.
        for (let round = 0; round < 3; round++) await rounds(round);
      } finally {
        thaw?.();
      }
      if (how === 'gone') await server.restart();
      await expect.poll(async () => (await fetch(`${service.url}/readyz`)).status, SOON).toBe(200);
      expect(await service.stop()).toBe(0);
      await server.stop();
    },
  );

  test('L20: a connection that is cut after COMMIT was sent: the service looks up what became of it, and answers', async () => {
    const server = await startPostgres();
    const proxy = await startCutProxy(server);
    await using service = await startService(over(proxy.host));
    using client = dial(service.address);
    await recordedIssue(client, 'before any cut, and long enough', 10_000);
    const size = async () => Number((await server.sql('SELECT size FROM ect.head'))[0]?.['size']);
    for (const when of ['after', 'before'] as const) {
      const sizeBefore = await size();
      proxy.cut = { when, text: 'COMMIT\0' };
      const { claims } = await recordedIssue(client, `cut ${when} it was sent, and long enough`, 10_000);
      expect(proxy.cut).toBeUndefined();
      const { token } = await client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: [AUDIENCE] });
      proxy.cut = { when, text: 'COMMIT\0' };
      expect(
        (await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token })).receipt.inclusion.checkpoint,
      ).not.toBe('');
      expect(proxy.cut).toBeUndefined();
      expect(await size()).toBe(sizeBefore + 2);
      const rows = await server.sql(`SELECT convert_from(name, 'UTF8') AS name FROM ect.entries`);
      expect(rows.filter(({ name }) => name === claims.jti)).toHaveLength(1);
    }
    // The memory of the request id, and a use under a request id.
    proxy.cut = { when: 'after', text: 'put-if-absent\0' };
    const { token } = await recordedIssue(client, 'cut while it is remembered, and long enough', 10_000);
    expect(proxy.cut).toBeUndefined();
    proxy.cut = { when: 'after', text: 'put-if-absent\0' };
    const request = { token, audience: AUDIENCE, request_id: 'the-first-call-of-this-test' };
    expect(await client.call<Verdict>(`${AUTHORITY}/Verify`, request)).toMatchObject({ valid: true });
    const again = { ...request, request_id: 'another-call-of-this-test' };
    expect(await client.call<Verdict>(`${AUTHORITY}/Verify`, again)).toMatchObject({
      finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' },
    });
    expect(await service.stop()).toBe(0);
    await proxy.close();
    await server.stop();
  });
});
