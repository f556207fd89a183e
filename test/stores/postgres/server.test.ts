// Which servers a service goes on with, what its role may do there, and how the tables come into being.

import { chownSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { changeSchema, PostgresDatabase, PostgresLedgerStore } from '../../../src/stores/postgres/index.ts';
import { MIGRATIONS, SCHEMA_VERSION } from '../../../src/stores/postgres/layout.ts';
import { createCertificateAuthority } from '../../support/certificates.ts';
import { checkStore } from '../../support/check-store.ts';
import { freePort } from '../../support/free-port.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import {
  describeWithPostgres,
  PASSWORD,
  type PostgresServer,
  SERVICE_ROLE,
  startPostgres,
} from '../../support/postgres.ts';
import { SOON } from '../../support/soon.ts';

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ hasTables: false });
  });
  afterAll(() => server.stop());

  /** Why a service does not start over the server; undefined where it does. */
  async function rejection(target = server.target()): Promise<string | undefined> {
    const database = new PostgresDatabase(target, 1);
    try {
      await database.examine();
      return undefined;
    } catch (error) {
      expect(error).toMatchObject({ name: 'UnfitDatabase' });
      expect(`${(error as Error).message}${String((error as Error).cause)}`).not.toContain(PASSWORD);
      return (error as Error).message;
    } finally {
      await database.close();
    }
  }

  describe('the tables', () => {
    const init = { kind: 'init', role: undefined } as const;

    test('L20: without tables a service is rejected, and a migration too; the service makes none itself', async () => {
      expect(await rejection()).toContain('run `ect db init`');
      const migrate = changeSchema(server.target('postgres'), { kind: 'migrate', role: undefined });
      await expect(migrate).rejects.toThrow('run `ect db init`');
      expect(await server.sql(`SELECT 1 FROM pg_namespace WHERE nspname = 'ect'`)).toEqual([]);
    });

    test('a role that may not make them, or that does not exist, leaves nothing behind', async () => {
      await expect(changeSchema(server.target(), init)).rejects.toThrow('permission denied');
      const unknown = changeSchema(server.target('postgres'), { kind: 'init', role: 'nobody"; --' });
      await expect(unknown).rejects.toThrow('has no role "nobody\\"; --"');
      expect(await server.sql(`SELECT 1 FROM pg_namespace WHERE nspname = 'ect'`)).toEqual([]);
    });

    test('of two commands at once one creates the tables, and the other reports that they exist', async () => {
      const both = await Promise.allSettled([1, 2].map(() => changeSchema(server.target('postgres'), init)));
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const rejected = both.find(({ status }) => status === 'rejected');
      expect(String((rejected as PromiseRejectedResult).reason)).toContain('run `ect db migrate`');
    });

    test('without rights a service is rejected by the command that gives them', async () => {
      expect(await rejection()).toContain('ect db migrate --role');
      const order = { kind: 'migrate', role: SERVICE_ROLE } as const;
      expect(await changeSchema(server.target('postgres'), order)).toEqual({
        from: SCHEMA_VERSION,
        to: SCHEMA_VERSION,
      });
      expect(await rejection()).toBeUndefined();
    });

    test.each([1, 2])(
      'tables of version %i are brought to this one, with what is in them, and the service gets its rights',
      async (from) => {
        const name = `earlier_${from}`;
        await server.sql(`CREATE DATABASE ${name}`);
        await server.sql('CREATE SCHEMA ect', [], name);
        const earlier = MIGRATIONS.filter(({ version }) => version <= from).map(({ sql }) => sql);
        await server.sql(`${earlier.join(';')}; UPDATE ect.schema_version SET version = ${from}`, undefined, name);
        await server.sql(`INSERT INTO ect.identities VALUES ('main', 'kept')`, [], name);
        await server.sql(
          `INSERT INTO ect.head VALUES ('main', 1, '\\x${'00'.repeat(32)}', 1, 'checkpoint');
         INSERT INTO ect.entries VALUES ('main', 0, '', 'a', '', 1, '', '', '\\x${'00'.repeat(32)}', NULL, NULL)`,
          undefined,
          name,
        );
        const target = server.target(SERVICE_ROLE, name);
        const order = { kind: 'migrate', role: SERVICE_ROLE } as const;
        expect(await changeSchema(server.target('postgres', name), order)).toEqual({ from, to: SCHEMA_VERSION });
        expect(await rejection(target)).toBeUndefined();
        expect(await server.sql('SELECT verifier_key FROM ect.identities', [], name)).toEqual([
          { verifier_key: 'kept' },
        ]);
        expect(await server.sql('SELECT 1 FROM ect.leases, ect.moved, ect.recording_orders', [], name)).toEqual([]);
        expect(await server.sql('SELECT provenance FROM ect.entries', [], name)).toEqual([{ provenance: null }]);
      },
    );

    test.each([
      [SCHEMA_VERSION + 1, 'run a newer release'],
      [SCHEMA_VERSION - 1, 'run `ect db migrate`'],
    ])('tables of version %i are rejected', async (version, step) => {
      await server.sql('UPDATE ect.schema_version SET version = $1', [version]);
      expect(await rejection()).toContain(step);
      await server.sql('UPDATE ect.schema_version SET version = $1', [SCHEMA_VERSION]);
    });
  });

  describe('a server that would lose what it acknowledged', () => {
    test.each(['fsync', 'full_page_writes', 'synchronous_commit'])('L20: %s = off is rejected', async (setting) => {
      await server.crash();
      await server.restart([`${setting}=off`]);
      expect(await rejection()).toContain(`has ${setting} = off`);
      await server.crash();
      await server.restart();
    });

    test('L20: synchronous_commit = off is rejected also where the role has it', async () => {
      await server.sql(`ALTER ROLE "${SERVICE_ROLE}" SET synchronous_commit = off`);
      expect(await rejection()).toContain('has synchronous_commit = off');
      await server.sql(`ALTER ROLE "${SERVICE_ROLE}" RESET synchronous_commit`);
    });

    test('L20: a role that does not wait for the synchronous standby is rejected, and served where there is none', async () => {
      await server.sql(`ALTER ROLE "${SERVICE_ROLE}" SET synchronous_commit = local`);
      expect(await rejection()).toBeUndefined();
      await server.sql(`ALTER SYSTEM SET synchronous_standby_names = 'standby'`);
      await server.sql('SELECT pg_reload_conf()');
      await expect.poll(async () => (await rejection()) ?? '', SOON).toContain('synchronous_commit = local');
      await server.sql('ALTER SYSTEM RESET synchronous_standby_names');
      await server.sql('SELECT pg_reload_conf()');
      await server.sql(`ALTER ROLE "${SERVICE_ROLE}" RESET synchronous_commit`);
    });

    test('L21: a standby is rejected at the start, and answers LEDGER_UNAVAILABLE to a store that is led there later', async () => {
      const database = new PostgresDatabase(server.target(), 2);
      const store = new PostgresLedgerStore(database, 'on a standby');
      await store.initialise(EMPTY_HEAD, 'test+key');
      const signal = join(server.data, 'standby.signal');
      await server.crash();
      writeFileSync(signal, '', { mode: 0o644 });
      await server.restart();
      expect(await rejection()).toContain('is a standby: set ECT_POSTGRES_URL to the primary');
      await expect(store.commit([candidate('a')], honestSeal())).rejects.toMatchObject({
        reason: 'LEDGER_UNAVAILABLE',
        message: expect.stringContaining('is a standby'),
      });
      await server.crash();
      rmSync(signal);
      await server.restart();
      // Calls are rejected at once until the servers are asked again, which is a second later at most.
      const committed = await vi.waitFor(() => store.commit([candidate('a')], honestSeal()), SOON);
      expect(committed.placements[0]).toMatchObject({ added: true });
      await store.close();
      await database.close();
    });
  });

  test('a wrong password, a missing database and a missing server have different messages', async () => {
    expect(await rejection({ ...server.target(), password: () => 'wrong' })).toContain(
      'rejects the user or the password',
    );
    expect(await rejection({ ...server.target(), password: () => undefined })).toContain(
      'rejects the user or the password',
    );
    expect(await rejection(server.target(SERVICE_ROLE, 'elsewhere'))).toContain('does not exist on the server');
    expect(await rejection({ ...server.target(), host: '/nowhere' })).toContain('cannot be reached');
    const secured = { ...server.target(), tls: { ca: undefined } };
    expect(await rejection(secured)).toContain('does not prove by TLS that it is the right one');
    await server.sql(`ALTER ROLE "${SERVICE_ROLE}" CONNECTION LIMIT 0`);
    expect(await rejection()).toContain('has no connection left');
    await server.sql(`ALTER ROLE "${SERVICE_ROLE}" CONNECTION LIMIT -1`);
  });

  test('over TCP the certificate of the server and its name are verified, by the CA that is given', async () => {
    using authority = createCertificateAuthority();
    using stranger = createCertificateAuthority('another CA');
    const certificate = authority.issue({ names: [{ ip: '127.0.0.1' }] });
    const { uid, gid } = statSync(server.data);
    const file = (name: string, text: string) => {
      const path = join(server.host, name);
      writeFileSync(path, text, { mode: 0o600 });
      chownSync(path, uid, gid);
      return path;
    };
    const port = await freePort();
    const settings = [
      `ssl_cert_file=${file('server.pem', certificate.cert)}`,
      `ssl_key_file=${file('server.key', certificate.key)}`,
    ];
    await server.crash();
    await server.restart(['listen_addresses=127.0.0.1', `port=${port}`, 'ssl=on', ...settings]);
    const reach = (host: string, ca: string | undefined) => rejection({ ...server.target(), host, port, tls: { ca } });
    expect(await reach('127.0.0.1', authority.cert)).toBeUndefined();
    const distrusted = 'does not prove by TLS that it is the right one';
    expect(await reach('127.0.0.1', stranger.cert)).toContain(distrusted);
    expect(await reach('127.0.0.1', undefined)).toContain(distrusted);
    expect(await reach('localhost', authority.cert)).toContain(distrusted);
    await server.crash();
    await server.restart();
  });

  test('a password that cannot be read any more is LEDGER_UNAVAILABLE, and callers do not learn why', async () => {
    const unreadable = () => Promise.reject(new Error('/run/secrets/password is gone'));
    const database = new PostgresDatabase({ ...server.target(), password: unreadable }, 1);
    const call = new PostgresLedgerStore(database, 'unreadable').head();
    await expect(call).rejects.toMatchObject({
      reason: 'LEDGER_UNAVAILABLE',
      message: expect.not.stringContaining('secrets'),
      cause: { cause: { message: '/run/secrets/password is gone' } },
    });
    await database.close();
  });

  describe('what is append-only', () => {
    const changes = [
      `UPDATE ect.entries SET author = 'x'`,
      'UPDATE ect.entries SET content = NULL',
      'DELETE FROM ect.entries',
      'TRUNCATE ect.entries',
      'DELETE FROM ect.head',
      'TRUNCATE ect.head',
      'UPDATE ect.head SET size = size - 1',
      'UPDATE ect.head SET checkpoint = checkpoint',
      `UPDATE ect.identities SET verifier_key = 'x'`,
      'DELETE FROM ect.identities',
      'TRUNCATE ect.identities',
      'UPDATE ect.entries SET provenance = NULL',
      `UPDATE ect.documents SET content = ''`,
      'DELETE FROM ect.documents',
      'TRUNCATE ect.documents',
    ];
    let store: PostgresLedgerStore;
    let database: PostgresDatabase;
    beforeAll(async () => {
      database = new PostgresDatabase(server.target(), 1);
      store = new PostgresLedgerStore(database, 'append-only');
      await store.initialise(EMPTY_HEAD, 'test+key');
      await store.commit([candidate('a'), candidate('b')], honestSeal());
      await store.keepDocument({ digest: 'kept', content: Buffer.from('text') });
    });
    afterAll(() => store.close().then(() => database.close()));

    test.each(changes)('L22: %s is rejected, to the service and to a superuser', async (change) => {
      for (const user of [SERVICE_ROLE, 'postgres']) {
        const client = new Client({ ...server.target(user), password: PASSWORD, ssl: false });
        await client.connect();
        await expect(client.query(change)).rejects.toThrow(/permission denied|append-only|only grows/);
        await client.end();
      }
      expect(await checkStore(store)).toHaveLength(2);
    });

    test('L22: an entry in a place that is taken, or under a name that is, is LEDGER_CORRUPT, and nothing of it stays', async () => {
      const stray = `INSERT INTO ect.entries SELECT ledger, $1, scope, $2, author, recorded_at, digest, leaf, nodes, salt, content
                     FROM ect.entries WHERE ledger = 'append-only' AND idx = 0`;
      await server.sql(stray, [2, Buffer.from('stray')]);
      await expect(store.commit([candidate('c')], honestSeal())).rejects.toMatchObject({ reason: 'LEDGER_CORRUPT' });
      expect((await store.head())?.size).toBe(2);
    });
  });
});
