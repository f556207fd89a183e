// PgBouncer between a service and its database: rejected with what to do in the modes that share a session, used in the other.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { PostgresDatabase, PostgresLedgerStore } from '../../../src/stores/postgres/index.ts';
import { checkStore } from '../../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { describeWhen } from '../../support/need.ts';
import {
  describeWithPostgres,
  PASSWORD,
  type PostgresServer,
  SERVICE_ROLE,
  startPostgres,
} from '../../support/postgres.ts';

const PROGRAM = '/usr/sbin/pgbouncer';
/** Startup parameters that PgBouncer does not know, and rejects unless it is configured to ignore them. */
const LEFT_OUT = 'options, statement_timeout, lock_timeout, idle_in_transaction_session_timeout';
const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;

interface PoolerOptions {
  /** Parameters that it is configured to ignore. */
  readonly leftOut: string;
  readonly at: number;
  /** Sessions that it has for a database and a role. */
  readonly size: number;
}

describeWhen(existsSync(PROGRAM), 'PgBouncer', `${PROGRAM} (Debian: pgbouncer)`, () => {
  describeWithPostgres('in front of PostgreSQL', () => {
    let server: PostgresServer;
    let pooler: ChildProcess | undefined;
    beforeAll(async () => {
      server = await startPostgres();
    });
    afterEach(() => endPooler());
    afterAll(() => server.stop());

    async function endPooler(): Promise<void> {
      if (pooler === undefined || pooler.exitCode !== null || pooler.signalCode !== null) return;
      const ended = once(pooler, 'exit');
      pooler.kill('SIGKILL');
      await ended;
    }

    /** Starts it. Answers where a service reaches it. */
    async function startPooler(mode: string, { leftOut = LEFT_OUT, at, size = 10 }: Partial<PoolerOptions> = {}) {
      await endPooler();
      const port = at ?? (await freePort());
      const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
      const file = (name: string, text: string) => {
        const path = join(server.host, name);
        writeFileSync(path, text, { mode: 0o644 });
        return path;
      };
      const users = file('users.txt', `${quoted(SERVICE_ROLE)} ${quoted(PASSWORD)}\n`);
      const config = file(
        'pgbouncer.ini',
        [
          '[databases]',
          `postgres = host=${server.host} port=${server.port}`,
          '[pgbouncer]',
          'listen_addr = 127.0.0.1',
          `listen_port = ${port}`,
          'unix_socket_dir =',
          'auth_type = scram-sha-256',
          `auth_file = ${users}`,
          `pool_mode = ${mode}`,
          `default_pool_size = ${size}`,
          ...(leftOut === '' ? [] : [`ignore_startup_parameters = ${leftOut}`]),
          '',
        ].join('\n'),
      );
      // It rejects to run as root.
      const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
      pooler = spawn(PROGRAM, [...user, config], { stdio: ['ignore', 'ignore', 'pipe'] });
      const said: string[] = [];
      for await (const line of createInterface({ input: pooler.stderr! })) {
        said.push(line);
        if (!line.includes('process up')) continue;
        pooler.stderr!.resume();
        return { ...server.target(), host: '127.0.0.1', port };
      }
      throw new Error(`PgBouncer did not start: ${said.join('\n')}`);
    }

    async function rejection(target: ReturnType<PostgresServer['target']>): Promise<string | undefined> {
      const database = new PostgresDatabase(target, 2);
      try {
        await database.examine();
        return undefined;
      } catch (error) {
        expect(error).toMatchObject({ name: 'UnfitDatabase' });
        return (error as Error).message;
      } finally {
        await database.close();
      }
    }

    test.each(['transaction', 'statement'])('L21: pool_mode = %s is rejected, with the way out', async (mode) => {
      const target = await startPooler(mode);
      expect(await rejection(target)).toMatch(/gives one session to several clients.*set pool_mode = session/);
    });

    test('L21: a mode that is changed under a running service is rejected from the next connection on', async () => {
      const target = await startPooler('session');
      const database = new PostgresDatabase(target, 1);
      const store = new PostgresLedgerStore(database, 'changed mode');
      await store.initialise(EMPTY_HEAD, 'test+key');
      await endPooler();
      await startPooler('transaction', { at: target.port });
      await expect(store.commit([candidate('a')], honestSeal())).rejects.toMatchObject({
        reason: 'LEDGER_UNAVAILABLE',
        message: expect.stringContaining('gives one session to several clients'),
      });
      await store.close();
      await database.close();
    });

    test('where it has one session only, that one is used', async () => {
      const target = await startPooler('session', { size: 1 });
      const database = new PostgresDatabase(target, 1, { connectMs: 10_000, answerMs: 1_000 });
      await database.examine();
      await database.close();
      expect(await rejection(await startPooler('transaction', { size: 1 }))).toContain('gives one session to several');
    });

    test('a pooler that does not ignore the startup settings is rejected in any mode, and the message names the setting', async () => {
      const message = await rejection(await startPooler('session', { leftOut: '' }));
      expect(message).toContain(`ignore_startup_parameters = ${LEFT_OUT}`);
    });

    test('pool_mode = session is used as the server itself is, settings of the session included', async () => {
      const target = await startPooler('session');
      const database = new PostgresDatabase(target, 2);
      const { rows } = await database.use(REASONS).read({
        text: `SELECT current_setting('enable_seqscan') AS seqscan, current_setting('plan_cache_mode') AS plans,
                 current_setting('default_transaction_isolation') AS isolation,
                 current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock`,
      });
      expect(rows[0]).toEqual({
        seqscan: 'off',
        plans: 'force_custom_plan',
        isolation: 'read committed',
        statement: '6s',
        lock: '4s',
      });
      const store = new PostgresLedgerStore(database, 'pooled');
      await store.initialise(EMPTY_HEAD, 'test+key');
      await Promise.all(Array.from({ length: 8 }, (_, n) => store.commit([candidate(`task ${n}`)], honestSeal(n))));
      expect(await checkStore(store)).toHaveLength(8);
      await store.close();
      await database.close();
    });
  });
});

/** A port that was free just now. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
