// What `ect ledger copy` rejects: sources that were tampered with, and copies that would make two histories.

import { existsSync } from 'node:fs';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { filesIn, openDataDir } from '../../src/data-directory/data-dir.ts';
import { takeOwnership } from '../../src/data-directory/ownership.ts';
import { leafHash } from '../../src/ledger/index.ts';
import { MarkFile } from '../../src/stores/mark-file.ts';
import { PostgresDatabase, PostgresPendingRecordings } from '../../src/stores/postgres/index.ts';
import { SqlitePendingRecordings } from '../../src/stores/sqlite/index.ts';
import { isUnfinishedCopy } from '../../src/stores/unfinished-copy.ts';
import { makeLedger } from '../backup/ledgers.ts';
import { ect } from '../cli/run.ts';
import { recordingFor } from '../contracts/pending-recordings.ts';
import { FULL } from '../support/full.ts';
import { describeWithPostgres, SERVICE_ROLE } from '../support/postgres.ts';
import {
  CHOSEN,
  copiedDatabase,
  copyOfOriginal,
  freshDatabase,
  inDatabase,
  inDirectory,
  makeOriginal,
  original,
  path,
  readKey,
  server,
} from './copies.ts';

describeWithPostgres('ect ledger copy', () => {
  makeOriginal();

  describe('L40: a source that was tampered with is rejected, and the entry named', () => {
    const cases: [what: string, sql: string, values: () => unknown[], named: string][] = [
      [
        'its content',
        `UPDATE entries SET content = $1 WHERE idx = ${CHOSEN}`,
        () => [Buffer.from('x')],
        'its digest is not',
      ],
      [
        'its author',
        `UPDATE entries SET author = $1 WHERE idx = ${CHOSEN}`,
        () => [Buffer.from('urn:x')],
        'another issuer',
      ],
      [
        'its leaf',
        `UPDATE entries SET leaf = $1 WHERE idx = ${CHOSEN}`,
        () => [Buffer.from('{}')],
        'its leaf is not the one',
      ],
      ['that it is there', `DELETE FROM entries WHERE idx = ${CHOSEN}`, () => [], 'it is missing'],
    ];

    const tried = cases.filter((_, n) => FULL || n % 3 === 0);
    test.each(tried)('in a directory: %s', async (_what, sql, values, named) => {
      const source = await copyOfOriginal();
      const texts = sql.includes('author');
      tamper(
        join(source, 'ledger.db'),
        sql,
        values().map((value) => (texts ? String(value) : value)),
      );
      const { name, env } = await freshDatabase();
      const outcome = await ect(['ledger', 'copy', source, 'postgres', '--json'], '', env);
      expect(outcome.code).toBe(1);
      const { reason, message } = JSON.parse(outcome.out).error;
      expect(reason).toBe('LEDGER_CORRUPT');
      expect(message).toContain(`at entry ${CHOSEN}: `);
      expect(message).toContain(named);
      const head = await inDatabase(name, (store) => store.head());
      expect(head !== undefined && isUnfinishedCopy(head)).toBe(true);
      // Nothing was decided: the source can still be repaired and started.
      await expect(readFile(join(source, 'ledger.moved'))).rejects.toThrow('ENOENT');
    });

    test.each(tried)(
      'in a database: %s',
      async (_what, sql, values, named) => {
        const { name, env } = await copiedDatabase();
        await server.sql('ALTER TABLE ect.entries DISABLE TRIGGER ALL', [], name);
        await server.sql(sql.replace('entries', 'ect.entries'), values(), name);
        const target = path('back');
        const outcome = await ect(['ledger', 'copy', 'postgres', target], '', env);
        expect(outcome).toMatchObject({ code: 1, err: expect.stringContaining(`at entry ${CHOSEN}: `) });
        expect(outcome.err).toContain(named);
        await expect(readFile(join(target, 'ledger.key'))).rejects.toThrow('ENOENT');
      },
      60_000,
    );

    test('where leaf and hash were changed together the checkpoint gives it away', async () => {
      const source = await copyOfOriginal();
      const [leaf, nodes] = await inDirectory(source, async (store) => {
        const record = await store.at(CHOSEN);
        const changed = Buffer.from(Buffer.from(record!.leaf).toString().replace('"depth":1', '"depth":2'));
        const places = [0, 1, 2, 3].filter((level) => (CHOSEN + 1) % 2 ** level === 0);
        const hashes = await store.nodes(places.map((level) => ({ level, index: (CHOSEN + 1) / 2 ** level - 1 })));
        return [changed, Buffer.concat([leafHash(changed), ...hashes.slice(1)])] as const;
      });
      tamper(join(source, 'ledger.db'), `UPDATE entries SET leaf = $1, nodes = $2 WHERE idx = ${CHOSEN}`, [
        leaf,
        nodes,
      ]);
      const { env } = await freshDatabase();
      const outcome = await ect(['ledger', 'copy', source, 'postgres'], '', env);
      expect(outcome).toMatchObject({ code: 1, err: expect.stringContaining('its leaves do not lead to the root') });
    }, 60_000);
  });

  describe('is rejected, and changes nothing', () => {
    const copy = async (from: string, to: string, env: Readonly<Record<string, string>>) => {
      const outcome = await ect(['ledger', 'copy', from, to, '--json'], '', env);
      expect(outcome.code).toBe(1);
      return JSON.parse(outcome.out).error as { reason: string; message: string };
    };

    test('from a directory that a service uses', async () => {
      const source = await copyOfOriginal();
      const ownership = await takeOwnership(await openDataDir(source));
      const { env } = await freshDatabase();
      expect(await copy(source, 'postgres', env)).toMatchObject({
        reason: 'directory_in_use',
        message: expect.stringMatching(/ is in use by process .+, since "[^"]+"\.$/),
        remedy: 'Stop that service first, or copy from a backup.',
      });
      ownership.release();
    });

    test('from a database, and into one, that services use', async () => {
      const { name, env } = await freshDatabase();
      const service = new PostgresDatabase(server.target(SERVICE_ROLE, name), 1);
      await service.examine();
      const source = await copyOfOriginal();
      expect(await copy(source, 'postgres', env)).toMatchObject({ reason: 'database_in_use' });
      expect(await copy('postgres', path(), env)).toMatchObject({ reason: 'database_in_use' });
      await service.close();
    });

    test('L33: from a directory, and from a database, in which tokens that have left wait for their entries', async () => {
      const source = await copyOfOriginal();
      const pending = SqlitePendingRecordings.open(filesIn(source).once);
      await pending.add(recordingFor('a'), 0);
      await pending.close();
      const { env } = await freshDatabase();
      expect(await copy(source, 'postgres', env)).toMatchObject({ reason: 'entries_to_come' });

      const { name, env: other } = await freshDatabase();
      expect(await ect(['ledger', 'copy', await copyOfOriginal(), 'postgres'], '', other)).toMatchObject({ code: 0 });
      const database = new PostgresDatabase({ ...server.target(SERVICE_ROLE, name), program: 'test' }, 1);
      const placed = new PostgresPendingRecordings(database);
      await placed.add(recordingFor('a'), 0);
      await placed.close();
      await database.close();
      const target = path();
      expect(await copy('postgres', target, other)).toMatchObject({ reason: 'entries_to_come' });
      expect(existsSync(filesIn(target).ledger)).toBe(false);
    });

    test('from a directory that has lost entries', async () => {
      const source = path();
      await makeLedger(source, 8);
      const early = path();
      await cp(source, early, { recursive: true });
      await makeLedger(source, 16);
      const key = await readKey(source);
      const head = await inDirectory(source, (store) => store.head());
      await MarkFile.replace(join(early, 'ledger.mark'), head!);
      expect(key.verifierKey).toBe((await readKey(early)).verifierKey);
      const { env } = await freshDatabase();
      expect(await copy(early, 'postgres', env)).toMatchObject({ reason: 'history_lost' });
    });

    test('into a database with another ledger, with more of this one, or with other entries', async () => {
      const { name, env } = await freshDatabase();
      const [short, other] = [path(), path()];
      await makeLedger(short, 10);
      const longer = path();
      await cp(short, longer, { recursive: true });
      await makeLedger(longer, 20);
      await makeLedger(other, 3);
      expect(await ect(['ledger', 'copy', longer, 'postgres'], '', env)).toMatchObject({ code: 0 });
      expect(await copy(other, 'postgres', env)).toMatchObject({ reason: 'other_ledger' });
      expect(await copy(short, 'postgres', env)).toMatchObject({ reason: 'target_ahead' });
      await server.sql('ALTER TABLE ect.entries DISABLE TRIGGER ALL', [], name);
      await server.sql(`UPDATE ect.entries SET author = 'x' WHERE idx = 3`, [], name);
      expect(await copy(longer, 'postgres', env)).toMatchObject({
        reason: 'target_differs',
        message: expect.stringContaining('Entry 3 '),
      });
    });

    test('into a database whose tree is not that of its leaves', async () => {
      const { name, env } = await copiedDatabase();
      await server.sql('ALTER TABLE ect.entries DISABLE TRIGGER ALL', [], name);
      await server.sql(
        `UPDATE ect.entries SET nodes = set_byte(nodes, 40, 255 - get_byte(nodes, 40)) WHERE idx = 5`,
        [],
        name,
      );
      expect(await copy(await copyOfOriginal(), 'postgres', env)).toMatchObject({
        reason: 'target_differs',
        message: expect.stringContaining('returns is not what was written'),
      });
    });

    test('into a directory that is not empty, or with the key of another ledger', async () => {
      const { env } = await copiedDatabase();
      expect(await copy('postgres', original, env)).toMatchObject({ reason: 'directory_not_empty' });
      const other = path();
      await makeLedger(other, 1);
      const key = { ...env, ECT_LEDGER_KEY_FILE: join(other, 'ledger.key') };
      expect(await copy('postgres', path(), key)).toMatchObject({ reason: 'other_ledger' });
    }, 60_000);

    test('from where there is no ledger, and between two places of one kind', async () => {
      const { env } = await freshDatabase();
      const missing = path();
      expect(await ect(['ledger', 'copy', missing, 'postgres'], '', env)).toMatchObject({
        code: 2,
        err: expect.stringContaining(`there is no directory ${missing}`),
      });
      expect(await copy('postgres', path(), env)).toMatchObject({ reason: 'no_ledger' });
      for (const places of [
        ['postgres', 'postgres'],
        [original, path()],
      ]) {
        expect(await ect(['ledger', 'copy', ...places], '', env)).toMatchObject({ code: 2 });
      }
      expect(await ect(['ledger', 'copy', original, 'postgres'])).toMatchObject({
        code: 2,
        err: expect.stringContaining('ECT_POSTGRES_URL'),
      });
    });
  });
});

/** Changes a ledger file as somebody can who may write it. */
function tamper(file: string, sql: string, values: readonly unknown[]): void {
  const database = new DatabaseSync(file);
  const triggers = database.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`).all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
  database.prepare(sql.replaceAll(/\$\d/g, '?')).run(...(values as Uint8Array[]));
  for (const { sql: trigger } of triggers) database.exec(String(trigger));
  database.close();
}
