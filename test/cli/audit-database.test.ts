// `ect audit` of a ledger in PostgreSQL, and what "backup" means there: a dump that is restored elsewhere and audited.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeLedger } from '../backup/ledgers.ts';
import { ISSUERS } from '../stores/sqlite/recorded-ledger.ts';
import { FULL } from '../support/full.ts';
import { describeWithPostgres, PASSWORD, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { SOON } from '../support/soon.ts';
import { ect } from './run.ts';

const FOREIGN = ISSUERS.flatMap((iss) => ['--foreign', iss]);
const CHOSEN = 42;

interface Report {
  readonly ok: boolean;
  readonly treeSize: string;
  readonly rootHash: string;
  readonly faults: readonly { readonly index: number | null; readonly fault: string }[];
}

describeWithPostgres('ect audit of a database', () => {
  let server: PostgresServer;
  let folder: string;
  let ledger: string;
  let env: Readonly<Record<'ECT_POSTGRES_URL' | 'ECT_POSTGRES_PASSWORD_FILE', string>>;
  let size: number;
  let copies = 0;

  beforeAll(async () => {
    server = await startPostgres();
    folder = await mkdtemp(join(tmpdir(), 'ect-audit-pg-'));
    ledger = join(folder, 'data', 'ledger.db');
    size = await makeLedger(join(folder, 'data'), 200);
    env = await server.makeDatabase('audited');
    expect(await ect(['ledger', 'copy', join(folder, 'data'), 'postgres'], '', env)).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function auditJson(...argv: string[]): Promise<{ code: number; report: Report }> {
    const { code, out, err } = await ect(['audit', '--json', ...FOREIGN, ...argv], '', env);
    expect(err).not.toContain(PASSWORD);
    const report = JSON.parse(out) as Report;
    // A call that failed is no report: its reason is shown here.
    expect(report).not.toHaveProperty('error');
    return { code, report };
  }

  const urlOf = (name: string) => env.ECT_POSTGRES_URL.replace('/audited?', `/${name}?`);

  test('L41: a database and the file that it was copied from are one ledger', async () => {
    const [file, database] = [await auditJson(ledger), await auditJson()];
    expect(database).toEqual(file);
    expect(database).toMatchObject({ code: 0, report: { ok: true, faults: [] } });
  });

  test('an auditor needs no more than to read the tables', async () => {
    await server.sql(`CREATE ROLE auditor LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
    await server.sql(
      'GRANT USAGE ON SCHEMA ect TO auditor; GRANT SELECT ON ALL TABLES IN SCHEMA ect TO auditor',
      [],
      'audited',
    );
    const url = env.ECT_POSTGRES_URL.replace(/user=.*$/, 'user=auditor');
    expect(await auditJson('--postgres-url', url)).toEqual(await auditJson());
  });

  test('an audit continues where the previous one stopped', async () => {
    const state = join(folder, 'state');
    expect(await auditJson('--state', state)).toMatchObject({ code: 0 });
    expect(await auditJson('--state', state)).toMatchObject({ code: 0, report: { fromIndex: String(size) } });
  });

  test('an audit waits for a server that is busy for longer than a call may wait', async () => {
    const others = server.sql('BEGIN; LOCK TABLE ect.entries; SELECT pg_sleep(5); COMMIT', undefined, 'audited');
    const locks = `SELECT 1 FROM pg_locks WHERE relation = 'ect.entries'::regclass AND mode = 'AccessExclusiveLock'`;
    await vi.waitFor(async () => expect(await server.sql(locks, [], 'audited')).toHaveLength(1), SOON);
    const [audited] = await Promise.all([auditJson(), others]);
    expect(audited).toMatchObject({ code: 0, report: { ok: true } });
  });

  test('L41: pg_dump, restored into another database, is the whole ledger', async () => {
    const dump = join(folder, 'ect.dump');
    await server.run('pg_dump', '--dbname=audited', '--schema=ect', '--format=custom', `--file=${dump}`);
    await server.run('createdb', 'restored');
    await server.run('pg_restore', '--dbname=restored', '--exit-on-error', dump);
    const [before, after] = [await auditJson(), await auditJson('--postgres-url', urlOf('restored'))];
    expect(after).toEqual(before);
  });

  describe('L41: what was changed in a database is named', () => {
    const at = (fault: string) => ({ index: CHOSEN, fault: expect.stringContaining(fault) });
    const whole = (fault: string) => ({ index: null, fault: expect.stringContaining(fault) });
    const entry = `WHERE idx = ${CHOSEN}`;
    // Those that only a database has, and one of those that the audit of a file shows too; the full run has all.
    const OF_FILES_TOO = ['a leaf', 'an author', 'a time', 'the head', 'a checkpoint'];
    const changes: readonly (readonly [what: string, sql: string, fault: object])[] = [
      ['a content', `UPDATE ect.entries SET content = 'x' ${entry}`, at('its digest is not that of its token')],
      ['a leaf', `UPDATE ect.entries SET leaf = leaf || ' ' ${entry}`, at('its leaf is not the one')],
      ['an author', `UPDATE ect.entries SET author = 'x' ${entry}`, at('another issuer')],
      ['a time', `UPDATE ect.entries SET recorded_at = recorded_at + 1 ${entry}`, at('another time')],
      [
        'a node',
        `UPDATE ect.entries SET nodes = set_byte(nodes, 40, get_byte(nodes, 40) # 1) WHERE idx = 43`,
        whole('node 21 of level 1'),
      ],
      [
        'an entry behind the head',
        `INSERT INTO ect.entries SELECT ledger, :size, scope, 'stray', author, recorded_at, digest, leaf, nodes, salt, content FROM ect.entries ${entry}`,
        whole('beyond its head'),
      ],
      ['the head', `UPDATE ect.head SET recorded_at = 1`, whole('not the one that the head names')],
      ['a checkpoint', `UPDATE ect.head SET checkpoint = replace(checkpoint, ':size', '9')`, whole('does not verify')],
      ['a trigger', 'ALTER TABLE ect.entries DISABLE TRIGGER entries_stay', whole('the trigger entries_stay')],
      [
        'what a trigger does',
        `CREATE OR REPLACE FUNCTION ect.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
        whole('the trigger head_stays'),
      ],
      ['an index', 'DROP INDEX ect.entries_by_scope', whole('the index entries_by_scope')],
      [
        'a name that is taken twice',
        `DROP INDEX ect.entries_by_name; UPDATE ect.entries SET name = (SELECT name FROM ect.entries WHERE idx = 1), scope = (SELECT scope FROM ect.entries WHERE idx = 1) ${entry}`,
        at('its scope and name are taken'),
      ],
    ];
    test.each(FULL ? changes : changes.filter(([what]) => !OF_FILES_TOO.includes(what)))(
      '%s',
      async (_what, sql, fault) => {
        const name = `changed_${copies++}`;
        await server.run('createdb', '--template=audited', name);
        await server.sql(
          'ALTER TABLE ect.entries DISABLE TRIGGER USER; ALTER TABLE ect.head DISABLE TRIGGER USER',
          [],
          name,
        );
        await server.sql(sql.replace(':size', String(size)), undefined, name);
        const enable = sql.includes('TRIGGER') ? 'entries_are_not_truncated' : 'USER';
        await server.sql(
          `ALTER TABLE ect.entries ENABLE TRIGGER ${enable}; ALTER TABLE ect.head ENABLE TRIGGER USER`,
          [],
          name,
        );
        const { code, report } = await auditJson('--postgres-url', urlOf(name));
        expect(code).toBe(1);
        expect(report.faults).toContainEqual(fault);
      },
    );
  });

  test('a database without a ledger, or a missing one, is distinguished from a damaged one', async () => {
    await server.makeDatabase('empty');
    const empty = await ect(['audit', '--postgres-url', urlOf('empty')], '', env);
    expect(empty).toMatchObject({ code: 1, err: expect.stringContaining('holds no ledger yet') });
    const nowhere = await ect(['audit', '--postgres-url', urlOf('nowhere')], '', env);
    expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining('does not exist on the server') });
    const both = await ect(['audit', ledger, '--postgres-url', urlOf('empty')], '', env);
    expect(both).toMatchObject({ code: 2 });
  });
});
