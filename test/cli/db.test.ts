// `ect db`, and what other commands say where the ledger is in a database.

import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  describeWithPostgres,
  PASSWORD,
  type PostgresServer,
  SERVICE_ROLE,
  startPostgres,
} from '../support/postgres.ts';
import { ect } from './run.ts';

describeWithPostgres('ect db', () => {
  let server: PostgresServer;
  let env: Readonly<Record<string, string>>;
  beforeAll(async () => {
    server = await startPostgres({ hasTables: false });
    const url = new URL(`postgres:///postgres?host=${server.host}&user=postgres`);
    env = { ECT_POSTGRES_URL: url.href, ECT_POSTGRES_PASSWORD_FILE: `${server.host}/password` };
  });
  afterAll(() => server.stop());

  test('makes the tables once, and gives the role of the service its rights', async () => {
    expect(await ect(['db', 'migrate'], '', env)).toMatchObject({
      code: 1,
      err: expect.stringContaining('`ect db init`'),
    });
    const made = await ect(['db', 'init', '--role', SERVICE_ROLE], '', env);
    expect(made).toMatchObject({ code: 0, out: expect.stringContaining('✓ the tables are now of version 3') });
    const again = await ect(['db', 'init'], '', env);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('run `ect db migrate`') });
    const migrated = await ect(['db', 'migrate', '--role', SERVICE_ROLE, '--json'], '', env);
    expect(JSON.parse(migrated.out)).toEqual({ from: 3, to: 3 });
    const [rights] = await server.sql(
      `SELECT has_table_privilege($1, 'ect.entries', 'INSERT, SELECT') AS adds,
              has_table_privilege($1, 'ect.entries', 'UPDATE, DELETE, TRUNCATE') AS changes`,
      [SERVICE_ROLE],
    );
    expect(rights).toEqual({ adds: true, changes: false });
  });

  test('names what is wrong, and never the password', async () => {
    const outcomes = [
      await ect(['db', 'init'], '', {}),
      await ect(['db', 'init'], '', {
        ...env,
        ECT_POSTGRES_URL: `postgres://ada:${encodeURIComponent(PASSWORD)}@127.0.0.1:1/x`,
      }),
      await ect(['db', 'init', '--role', 'nobody'], '', env),
      await ect(['db', 'migrate'], '', { ...env, ECT_POSTGRES_PASSWORD_FILE: '/nowhere/password' }),
    ];
    expect(outcomes.map(({ code }) => code)).toEqual([2, 2, 1, 1]);
    for (const { out, err } of outcomes) {
      expect(out).toBe('');
      expect(err).not.toMatch(/p@ss|p%40ss/);
    }
    expect(outcomes[3]?.err).toContain('/nowhere/password');
  });
});

test('a backup of a ledger in PostgreSQL is made by its own tools', async () => {
  const outcome = await ect(['backup', '/nowhere/backup'], '', { ECT_STORE: 'postgres' });
  expect(outcome).toMatchObject({ code: 1, err: expect.stringMatching(/PostgreSQL.*pg_dump/s) });
});
