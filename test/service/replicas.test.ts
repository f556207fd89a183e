// Three replicas over one PostgreSQL database, many callers and random kills: one ledger, and each token is accepted once.

import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import { type Issued, type Receipt, type Recorded, reasonIn, type Verdict } from '../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { runProgram } from '../interop/run-program.ts';
import { rounds } from '../support/full.ts';
import {
  describeWithPostgres,
  PASSWORD,
  type PostgresServer,
  postgresUrl,
  startPostgres,
} from '../support/postgres.ts';
import { randomNumbers, SEED } from '../support/random.ts';
import type { LedgerFaults } from '../support/recorded-ledger.ts';
import { makeReplicaFiles } from '../support/replica-files.ts';
import { type Settings, startService } from '../support/service-process.ts';
import { supervised } from '../support/supervised.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const REPLICAS = 3;
const CALLERS = 64;
/** `npm run test:replicas` has 50. In each of them one, two or all replicas are killed. */
const KILLS = Number(process.env['REPLICA_KILLS'] ?? rounds(12, 1));
/** Replicas are killed each time that so many more tasks are acknowledged. */
const TASKS_PER_KILL = Number(process.env['REPLICA_TASKS_PER_KILL'] ?? rounds(100, 40));
/** Recorded tasks that callers ask for, in all, at least. */
const TASKS = KILLS * TASKS_PER_KILL;
/** The pause of a caller before its retry. */
const PAUSE_MS = 20;
/** For what hangs: a hundred times as long as it takes. */
const LONG_MS = 4 * 3_600_000;

describeWithPostgres('replicas over PostgreSQL', () => {
  let server: PostgresServer;
  let folder: string;
  let settings: Settings;
  const ledgerKey = generateLedgerKey('ledger.example/ect');
  const { verifierKey } = openLedgerKey(ledgerKey);

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

  /** Everything that was acknowledged: index by `jti`, and the checkpoints that were shown. */
  const acknowledged = new Map<string, string>();
  const shown = new Set<string>();

  function keep(jti: string, receipt: Receipt): void {
    const { leaf_index: index } = receipt.inclusion;
    expect(acknowledged.get(jti) ?? index).toBe(index);
    acknowledged.set(jti, index);
    shown.add(receipt.inclusion.checkpoint);
  }

  /** One recorded task, by Issue at L3 or by Issue and AppendLedger. Repeats what a dying replica left open, at another one. */
  async function record(clients: readonly GrpcClient[], task: number, isOver: () => boolean): Promise<void> {
    const key = `task-${task}-of-the-test-of-replicas`;
    for (let attempt = task; !isOver(); attempt++) {
      const client = clients[attempt % REPLICAS]!;
      const request = { exec_act: 'review_spec', aud: [AUDIENCE], request_id: key };
      try {
        if (task % 2 === 0) {
          const { claims, receipt } = await client.call<Issued & { receipt: Receipt }>(`${AUTHORITY}/Issue`, {
            ...request,
            level: 'LEVEL_L3',
          });
          return keep(claims.jti, receipt);
        }
        const { token, claims } = await client.call<Issued>(`${AUTHORITY}/Issue`, request);
        const { receipt } = await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
        return keep(claims.jti, receipt);
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        // UNAVAILABLE: the replica is gone, or does not know what became of it.
        expect(error.code, error.message).toBe(14);
        await pause(PAUSE_MS);
      }
    }
  }

  test('L10, R2, L20: three replicas, 64 callers and kills: one ledger without gaps, nothing acknowledged lost, each token accepted once', {
    timeout: LONG_MS,
  }, async () => {
    const services = await Promise.all(
      Array.from({ length: REPLICAS }, () => supervised(() => startService(settings))),
    );
    const clients = services.map(({ address }) => dial(address));
    const dialled = new Set(clients);
    const random = randomNumbers(SEED);
    let kills = 0;
    let killed = 0;
    let isOver = false;
    /** One, two or all of them, at once. */
    const killSome = async () => {
      const order = services.map((service, n) => ({ service, n, at: random() })).sort((a, b) => a.at - b.at);
      const victims = order.slice(0, 1 + Math.floor(random() * REPLICAS));
      killed += victims.length;
      await Promise.all(victims.map(({ service }) => service.kill()));
      await Promise.all(victims.map(({ service }) => supervised(() => service.restart())));
      for (const { service, n } of victims) {
        clients[n] = dial(service.address);
        dialled.add(clients[n]);
      }
    };
    const killer = async () => {
      for (; kills < KILLS; kills++) {
        while (acknowledged.size < TASKS_PER_KILL * kills) await pause(PAUSE_MS);
        await killSome();
      }
    };
    let next = 0;
    const caller = async () => {
      while (!isOver && (acknowledged.size < TASKS || kills < KILLS)) await record(clients, next++, () => isOver);
    };
    try {
      await Promise.all([killer(), ...Array.from({ length: CALLERS }, caller)]);
      await acceptOnce(clients);
      expect(acknowledged.size).toBe(next);
      const size = await checkDatabase();
      console.info(`${kills} rounds, ${killed} replicas killed: ${acknowledged.size} acknowledged of ${size} entries`);
    } finally {
      isOver = true;
      for (const client of dialled) client[Symbol.dispose]();
      await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
    }
  });

  /** One token, 24 times at once at all replicas. */
  async function acceptOnce(clients: readonly GrpcClient[]): Promise<void> {
    for (let round = 0; round < rounds(20, 1); round++) {
      const { token } = await clients[0]!.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: [AUDIENCE] });
      const verdicts = await Promise.all(
        Array.from({ length: 24 }, (_, n) =>
          clients[n % clients.length]!.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE }),
        ),
      );
      expect(verdicts.filter(({ valid }) => valid)).toHaveLength(1);
      expect(new Set(verdicts.filter(({ valid }) => !valid).map(reasonIn))).toEqual(new Set(['TOKEN_REPLAYED']));
    }
  }

  /** By a program of its own, which reads the rows and computes each root. Answers how many entries there are. */
  async function checkDatabase(): Promise<number> {
    const { host, port, database } = server.target();
    const asked = join(folder, 'acknowledged.json');
    writeFileSync(
      asked,
      JSON.stringify({
        database: { host, port, database, user: 'postgres', password: PASSWORD },
        verifierKey,
        indexes: [...acknowledged].map(([jti, index]) => [jti, Number(index)]),
        checkpoints: [...shown],
      }),
    );
    const program = fileURLToPath(new URL('../support/examine-ledger-child.ts', import.meta.url));
    const { code, stdout, stderr } = await runProgram(process.execPath, [program, asked], { limitMs: LONG_MS });
    expect(code, stderr).toBe(0);
    const { size, ...faults } = JSON.parse(stdout) as LedgerFaults;
    expect(faults).toEqual({ gaps: [], doubles: [], lost: [], forks: [] });
    expect(size).toBeGreaterThanOrEqual(acknowledged.size);
    return size;
  }
});
