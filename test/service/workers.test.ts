// Several workers behind one port: what callers see of it, what the ledger sees, and how the processes begin and end.

import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { status as codes } from '@grpc/grpc-js';
import { describe, expect, test, vi } from 'vitest';
import { type Recorded, reasonIn, type Verdict } from '../interop/answers.ts';
import { CallError, type GrpcClient } from '../interop/grpc-js-client.ts';
import { runMain, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import {
  AUDIENCE,
  AUTHORITY,
  dialAll,
  haveEnded,
  ISSUED,
  issueTokens,
  KEY_ENTRIES,
  readMetric,
  TWO,
  until,
  untilMetric,
  witnessOf,
  workersOf,
} from './worker-processes.ts';

describe('one service', () => {
  test('L10 R2 two workers share a port, a ledger without a gap and the uses of tokens', async () => {
    await using service = await startService(TWO);
    expect(await workersOf(service)).toHaveLength(2);
    expect(service.stdout()).toBe(`listening on ${service.url}\n`);
    using channels = dialAll(service, 4);
    const [first] = channels.clients as [GrpcClient];
    const keys = await Promise.all(channels.clients.map((client) => client.call('ect.v1.KeyService/GetKeySet', {})));
    for (const set of keys) expect(set).toEqual(keys[0]);
    const witness = await witnessOf(first);
    const tokens = await issueTokens(first, 100);

    for (const token of tokens) {
      const verdicts = await Promise.all(
        channels.clients.map((client) => client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE })),
      );
      expect(verdicts.map(reasonIn).sort()).toEqual(['', ...Array(3).fill('TOKEN_REPLAYED')]);
    }
    const duplicates = await Promise.all(
      tokens.map((token) =>
        Promise.all(
          channels.clients.map(async (client) => {
            const recorded = await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
            witness.keep(recorded);
            return recorded.duplicate;
          }),
        ),
      ),
    );
    for (const group of duplicates) expect(group.filter((duplicate) => !duplicate)).toHaveLength(1);
    for (const client of channels.clients) expect(await witness.faults(client)).toEqual([]);
    expect(witness.acknowledged.size).toBe(tokens.length);

    expect(await service.stop()).toBe(0);
    const calls = service.events('call');
    // A worker that is slow to take a connection may get one of the four only: each makes some 200 calls.
    for (const worker of [1, 2]) expect(calls.filter((call) => call['worker'] === worker).length).toBeGreaterThan(150);
    expect(service.events('bug')).toEqual([]);
  });

  test('whichever worker is asked, the metrics are those of all: the counts are the calls made', async () => {
    await using service = await startService(TWO);
    using channels = dialAll(service, 4);
    const order = { exec_act: 'review', aud: [AUDIENCE], level: 'LEVEL_L3' };
    for (let round = 1; round <= 3; round++) {
      await Promise.all(
        channels.clients.flatMap((client) => Array.from({ length: 5 }, () => client.call(`${AUTHORITY}/Issue`, order))),
      );
      // Connections are handed out in turn, so two questions reach both workers.
      for (let asked = 0; asked < 2; asked++) {
        await untilMetric(service, 'ect_calls_total', ISSUED, 20 * round);
      }
    }
    const durations = new Map([['{method="ect.v1.AuthorityService/Issue"}', 60]]);
    const counted = async () => expect(await readMetric(service, 'ect_call_duration_seconds_count')).toEqual(durations);
    await vi.waitFor(counted, SOON);
    // A worker knows the size as of its own last commit; the largest is right.
    await untilMetric(service, 'ect_ledger_size', '', KEY_ENTRIES + 60);
    expect(await service.stop()).toBe(0);
    expect(new Set(service.events('call').map(({ worker }) => worker))).toEqual(new Set([1, 2]));
  });

  test('with one worker there is one process, and lines carry no number', async () => {
    await using service = await startService({ ECT_WORKERS: '1' });
    expect(await workersOf(service)).toEqual([]);
    expect(await service.stop()).toBe(0);
    expect(service.events('started')).toHaveLength(1);
    expect(service.stderr()).not.toContain('"worker"');
  });
});

describe('a worker that dies', () => {
  test('L1 is replaced, loses no acknowledged entry and no count; the other goes on', async () => {
    await using service = await startService(TWO);
    const workers = await workersOf(service);
    using channels = dialAll(service, 4);
    const [first] = channels.clients as [GrpcClient];
    const witness = await witnessOf(first);
    const tokens = await issueTokens(first, 400);
    const appended = '{method="ect.v1.AuthorityService/AppendLedger",code="OK",reason=""}';

    const failures: CallError[] = [];
    const cut = new Set<GrpcClient>();
    let acknowledged = 0;
    const append = async (client: GrpcClient, token: string) => {
      try {
        witness.keep(await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token }));
        acknowledged += 1;
        if (acknowledged === 40) process.kill(workers[0]!, 'SIGKILL');
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        failures.push(error);
        cut.add(client);
      }
    };
    await Promise.all(tokens.map((token, at) => append(channels.clients[at % 4] as GrpcClient, token)));
    // Each worker has one of the four connections at least. Those of the other were served to the end.
    expect(cut.size).toBeGreaterThan(0);
    expect(cut.size).toBeLessThan(4);
    expect(new Set(failures.map(({ code }) => codes[code]))).toEqual(new Set(['UNAVAILABLE']));
    expect(await witness.faults(first)).toEqual([]);
    const countedBefore = (await readMetric(service, 'ect_calls_total')).get(appended) ?? 0;

    await until('the replacement listens', () => service.events('started').length === 3);
    const later = await workersOf(service);
    expect(later).toHaveLength(2);
    expect(later).not.toContain(workers[0]);
    expect(later).toContain(workers[1]);
    expect(service.events('worker-ended')).toEqual([
      expect.objectContaining({ level: 'warn', how: 'SIGKILL', restarted: true, pauseMs: 100 }),
    ]);
    await untilMetric(service, 'ect_workers_ended_total', '', 1);

    // What is unknown is settled by asking again, at both workers.
    using fresh = dialAll(service, 2);
    await Promise.all(
      tokens.flatMap((token) =>
        fresh.clients.map(async (client) => witness.keep(await client.call(`${AUTHORITY}/AppendLedger`, { token }))),
      ),
    );
    expect(witness.acknowledged.size).toBe(tokens.length);
    for (const client of fresh.clients) expect(await witness.faults(client)).toEqual([]);
    await untilMetric(service, 'ect_calls_total', appended, countedBefore + 2 * tokens.length);
    expect(await service.stop()).toBe(0);
  });

  test('again and again at its start: the supervisor gives up, ends the others and exits with 1', async () => {
    await using service = await startService(TWO);
    const workers = await workersOf(service);
    // A key that others may read is a reason not to start. Who has read it before goes on.
    await chmod(join(service.dataDir, 'ledger.key'), 0o644);
    process.kill(workers[1]!, 'SIGKILL');
    await until('the supervisor ends', () => haveEnded([service.pid]));
    expect(await service.stop()).toBe(1);
    expect(await haveEnded(workers)).toBe(true);
    const [killed, ...others] = service.events('worker-ended');
    expect(killed).toMatchObject({ how: 'SIGKILL', restarted: true });
    // Who never came to listen has not lived, however slow the machine is. Six short lives are enough, and the first one
    // was short unless that took ten seconds.
    const deaths = Number(killed!['livedMs']) < 10_000 ? 5 : 6;
    expect(others.map(({ how, livedMs, restarted }) => [how, livedMs, restarted])).toEqual([
      ...Array(deaths - 1).fill([1, 0, true]),
      [1, 0, false],
    ]);
    // The other was not cut off.
    expect(service.events('stopped')).toEqual([expect.objectContaining({ worker: 1, cut: 0 })]);
  });
});

describe('rejecting to start', () => {
  test.each([
    [{ ECT_STORE: 'memory' }, 'ECT_STORE'],
    [{ ECT_JTI_REPLAY_CACHE_SIZE: '1000' }, 'ECT_JTI_REPLAY_CACHE_SIZE'],
  ])('S10 what workers could not share: %j', async (settings, key) => {
    for (const workers of ['2', 'auto']) {
      const { code, stdout, stderr } = await runMain(['serve'], { ...settings, ECT_WORKERS: workers });
      expect(code).toBe(2);
      expect(stdout).toBe('');
      expect(stderr).toMatch(new RegExp(`^ {2}ECT_WORKERS above 1 contradicts ${key}`, 'm'));
    }
  });

  test('a port that is taken: said once, exit code 1, and no second try', async () => {
    await using service = await startService();
    const { code, stdout, stderr } = await runMain(['serve'], {
      ...TWO,
      ECT_LISTEN: service.address,
      ECT_DATA_DIR: join(service.dataDir, 'other'),
    });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.match(/Cannot listen on/g)).toHaveLength(1);
    expect(stderr).toContain(`Cannot listen on ${service.address} (EADDRINUSE)`);
    expect(stderr).not.toMatch(/^ +at /m);
  });
});
