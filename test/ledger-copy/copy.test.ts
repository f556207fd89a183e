// `ect ledger copy`: from a data directory into PostgreSQL and back, and everything that is rejected on the way.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesIn, openDataDir, readLedgerKey } from '../../src/data-directory/data-dir.ts';
import { takeOwnership } from '../../src/data-directory/ownership.ts';
import { type LedgerStore, leafHash, openCheckpoint } from '../../src/ledger/index.ts';
import { ledgerCopier } from '../../src/ledger-copy/index.ts';
import type { ExpiringKeyKind, ExpiringKeyRow, ExpiringKeyRows } from '../../src/stores/expiring-keys.ts';
import { MarkFile } from '../../src/stores/mark-file.ts';
import {
  PostgresDatabase,
  PostgresExpiringKeyRows,
  PostgresLedgerStore,
  PostgresPendingRecordings,
} from '../../src/stores/postgres/index.ts';
import { SqliteExpiringKeyRows, SqliteLedgerStore, SqlitePendingRecordings } from '../../src/stores/sqlite/index.ts';
import { isUnfinishedCopy } from '../../src/stores/unfinished-copy.ts';
import { makeLedger } from '../backup/ledgers.ts';
import { ect } from '../cli/run.ts';
import { orderFor } from '../contracts/pending-recordings.ts';
import { naiveRoot } from '../ledger/naive-tree.ts';
import { ISSUERS } from '../stores/sqlite/recorded-ledger.ts';
import { checkLedger } from '../support/check-ledger.ts';
import { checkStore } from '../support/check-store.ts';
import { FULL, rounds } from '../support/full.ts';
import { describeWithPostgres, type PostgresServer, SERVICE_ROLE, startPostgres } from '../support/postgres.ts';
import { MAIN } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

/** More than a page of a copy; in the full run so many that its process can be killed half way. */
const TASKS = FULL ? 2_500 : 300;
/** An entry that is neither the first nor the last of a page. */
const CHOSEN = 217;
const TIMEOUT_MS = rounds(300_000, 60_000);
const FOREIGN = ISSUERS.flatMap((iss) => ['--foreign', iss]);

describeWithPostgres('ect ledger copy', () => {
  let server: PostgresServer;
  let folder: string;
  /** A stopped data directory; tests copy it. */
  let original: string;
  let size: number;
  let copied: Readonly<Record<'ECT_POSTGRES_URL' | 'ECT_POSTGRES_PASSWORD_FILE' | 'ECT_LEDGER_KEY_FILE', string>>;
  let made = 0;

  beforeAll(async () => {
    server = await startPostgres();
    folder = await mkdtemp(join(tmpdir(), 'ect-copy-'));
    original = join(folder, 'original');
    size = await makeLedger(original, TASKS);
    const once = SqliteExpiringKeyRows.open(filesIn(original).once);
    await once.add('uses', rowsOf('use', 1_203));
    await once.add('issued', rowsOf('token', 7));
    await once.close();
    copied = { ...(await server.makeDatabase('copied')), ECT_LEDGER_KEY_FILE: join(original, 'ledger.key') };
    expect(await ect(['ledger', 'copy', await copyOfOriginal(), 'postgres'], '', copied)).toMatchObject({ code: 0 });
  }, TIMEOUT_MS);
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const path = (name = 'dir') => join(folder, `${name}-${made++}`);
  async function copyOfOriginal(): Promise<string> {
    const copy = path();
    await cp(original, copy, { recursive: true });
    return copy;
  }
  async function freshDatabase() {
    const name = `copy_${made++}`;
    const env = await server.makeDatabase(name);
    return { name, env: { ...env, ECT_LEDGER_KEY_FILE: join(original, 'ledger.key') } };
  }
  /** One that holds the ledger already. */
  async function copiedDatabase() {
    const name = `copied_${made++}`;
    await server.run('createdb', '--template=copied', name);
    return { name, env: { ...copied, ECT_POSTGRES_URL: copied.ECT_POSTGRES_URL.replace('/copied?', `/${name}?`) } };
  }
  async function inDatabase<T>(
    name: string,
    read: (store: LedgerStore, once: ExpiringKeyRows) => Promise<T>,
  ): Promise<T> {
    const database = new PostgresDatabase({ ...server.target(SERVICE_ROLE, name), program: 'ect-test' }, 2);
    try {
      return await read(new PostgresLedgerStore(database), new PostgresExpiringKeyRows(database));
    } finally {
      await database.close();
    }
  }
  async function inDirectory<T>(
    dataDir: string,
    read: (store: LedgerStore, once: ExpiringKeyRows) => Promise<T>,
  ): Promise<T> {
    const dir = filesIn(dataDir);
    const store = SqliteLedgerStore.openReadOnly(dir.ledger);
    const once = SqliteExpiringKeyRows.openReadOnly(dir.once, true);
    try {
      return await read(store, once);
    } finally {
      await Promise.all([store.close(), once.close()]);
    }
  }
  const verifierKey = async () => (await readKey(original)).verifierKey;

  test(
    'L40: a ledger goes into the database and back: the same entries, contents, uses and keys under the same signed checkpoint',
    async () => {
      const source = await copyOfOriginal();
      const { name, env } = await freshDatabase();
      const before = await inDirectory(source, contentOf);
      const there = await ect(['ledger', 'copy', source, 'postgres', '--json'], '', env);
      expect(there.err).toBe('');
      expect(JSON.parse(there.out)).toMatchObject({
        treeSize: String(size),
        before: '0',
        uses: '1203',
        requestIds: '7',
        verifierKey: await verifierKey(),
      });
      expect(await inDatabase(name, contentOf)).toEqual(before);
      // Every node, and a root that nothing of the copy has computed.
      const records = await inDatabase(name, checkStore);
      const head = await inDatabase(name, (store) => store.head());
      const signed = openCheckpoint(head!.checkpoint, await verifierKey());
      expect(signed).toMatchObject({ ok: true, size, root: naiveRoot(records.map(({ leaf }) => leaf)) });
      const audited = await ect(['audit', '--json', ...FOREIGN], '', env);
      expect(JSON.parse(audited.out)).toMatchObject({
        ok: true,
        treeSize: String(size),
        rootHash: JSON.parse(there.out).rootHash,
      });

      const target = path('back');
      const back = await ect(['ledger', 'copy', 'postgres', target], '', env);
      expect(back).toMatchObject({ code: 0, out: expect.stringContaining(`holds the whole ledger: ${size} entries`) });
      expect(await inDirectory(target, contentOf)).toEqual(before);
      expect(await readFile(join(target, 'ledger.key'), 'utf8')).toBe(
        await readFile(join(source, 'ledger.key'), 'utf8'),
      );
      expect(MarkFile.read(join(target, 'ledger.mark')).map(({ checkpoint }) => checkpoint)).toEqual([
        head!.checkpoint,
      ]);
      expect(await ect(['audit', join(target, 'ledger.db'), ...FOREIGN])).toMatchObject({ code: 0 });
    },
    TIMEOUT_MS,
  );

  test(
    'a copy that was interrupted goes on, both ways, and starts no service before its end',
    async () => {
      const source = await copyOfOriginal();
      const { name, env } = await freshDatabase();
      const stopAt = (most: number) => (done: number) => {
        if (done >= most) throw new Error('interrupted');
      };
      await expect(ledgerCopier(env).toDatabase(source, stopAt(200))).rejects.toThrow('interrupted');
      const left = await inDatabase(name, (store) => store.head());
      expect(left?.size).toBe(200);
      expect(openCheckpoint(left!.checkpoint, await verifierKey()).ok).toBe(false);
      // What is not the ledger yet is no source either.
      const early = await ect(['ledger', 'copy', 'postgres', path()], '', env);
      expect(early).toMatchObject({ code: 1, err: expect.stringContaining('unfinished copy') });
      const on = await ect(['ledger', 'copy', source, 'postgres', '--json'], '', env);
      expect(JSON.parse(on.out)).toMatchObject({ before: '200', treeSize: String(size) });
      // Complete: once more changes nothing.
      const again = await ect(['ledger', 'copy', source, 'postgres', '--json'], '', env);
      expect(JSON.parse(again.out)).toMatchObject({ before: String(size) });

      const target = path('back');
      await expect(ledgerCopier(env).toDirectory(target, stopAt(200))).rejects.toThrow('interrupted');
      const back = await ect(['ledger', 'copy', 'postgres', target, '--json'], '', env);
      expect(JSON.parse(back.out)).toMatchObject({ before: '200' });
      expect(await inDirectory(target, contentOf)).toEqual(await inDirectory(source, contentOf));
    },
    TIMEOUT_MS,
  );

  // A small ledger is copied before anybody can kill the process.
  test.runIf(FULL)(
    'L40: a copy whose process is killed goes on, both ways',
    async () => {
      const source = await copyOfOriginal();
      const { name, env } = await freshDatabase();
      const there = killable(['ledger', 'copy', source, 'postgres'], env);
      const sizeIn = async () => Number((await server.sql('SELECT size FROM ect.head', [], name))[0]?.['size'] ?? 0);
      await expect.poll(sizeIn, SOON).toBeGreaterThan(1_000);
      await there.kill();
      const on = await ect(['ledger', 'copy', source, 'postgres', '--json'], '', env);
      expect(Number(JSON.parse(on.out).before)).toBeGreaterThan(1_000);

      const target = path('back');
      const back = killable(['ledger', 'copy', 'postgres', target], env);
      const draft = join(target, 'ledger.db.copy-wal');
      await expect.poll(() => existsSync(draft) && statSync(draft).size, SOON).toBeGreaterThan(1_000_000);
      await back.kill();
      expect(await ect(['ledger', 'copy', 'postgres', target, '--json'], '', env)).toMatchObject({ code: 0 });
      expect(await inDirectory(target, contentOf)).toEqual(await inDirectory(source, contentOf));
    },
    TIMEOUT_MS,
  );

  test('an older copy is completed from a source that has grown', async () => {
    const source = path();
    await makeLedger(source, 30);
    const { name, env } = await freshDatabase();
    expect(await ect(['ledger', 'copy', source, 'postgres'], '', env)).toMatchObject({ code: 0 });
    await rm(join(source, 'ledger.moved'));
    await makeLedger(source, 45);
    expect(await ect(['ledger', 'copy', source, 'postgres'], '', env)).toMatchObject({ code: 0 });
    await inDatabase(name, async (store) => checkLedger(store, (await readKey(source)).verifierKey));
  });

  test(
    'a backup is copied as it is, and stays one',
    async () => {
      const [source, backup] = [await copyOfOriginal(), path('backup')];
      expect(await ect(['backup', backup, '--data-dir', source])).toMatchObject({ code: 0 });
      const { env } = await freshDatabase();
      expect(await ect(['ledger', 'copy', backup, 'postgres'], '', env)).toMatchObject({ code: 0 });
      expect(await ect(['restore', backup, '--data-dir', path('restored')])).toMatchObject({ code: 0 });
    },
    TIMEOUT_MS,
  );

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
      expect(await copy(source, 'postgres', env)).toMatchObject({ reason: 'directory_in_use' });
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
      const orders = SqlitePendingRecordings.open(filesIn(source).once);
      await orders.place(orderFor('a'), 0);
      await orders.close();
      const { env } = await freshDatabase();
      expect(await copy(source, 'postgres', env)).toMatchObject({ reason: 'entries_to_come' });

      const { name, env: other } = await freshDatabase();
      expect(await ect(['ledger', 'copy', await copyOfOriginal(), 'postgres'], '', other)).toMatchObject({ code: 0 });
      const database = new PostgresDatabase({ ...server.target(SERVICE_ROLE, name), program: 'test' }, 1);
      const placed = new PostgresPendingRecordings(database);
      await placed.place(orderFor('a'), 0);
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
        message: expect.stringContaining('gives back is not what was written'),
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
      expect(await copy(path(), 'postgres', env)).toMatchObject({ reason: 'no_ledger' });
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

function rowsOf(what: string, count: number): readonly ExpiringKeyRow[] {
  return Array.from({ length: count }, (_, n) => {
    const key = leafHash(Buffer.from(`${what} ${n}`));
    return { key, digest: leafHash(Buffer.from('')), label: `label ${n}`, content: '', keepUntil: 4_000_000_000 + n };
  });
}

async function readKey(dataDir: string) {
  return (await readLedgerKey(filesIn(dataDir)))!;
}

/** The program as a process of its own, which is killed before it can end. */
function killable(argv: readonly string[], settings: Readonly<Record<string, string>>) {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [MAIN, ...argv], { env: { PATH, HOME, ...settings }, stdio: 'ignore' });
  const ended = once(child, 'exit');
  return {
    kill: async () => {
      child.kill('SIGKILL');
      expect(await ended).toEqual([null, 'SIGKILL']);
    },
  };
}

/** Everything that a copy has to bring, as text. */
async function contentOf(store: LedgerStore, once: ExpiringKeyRows) {
  const records = await store.list({ startIndex: 0, limit: Number.MAX_SAFE_INTEGER, withContent: true });
  const hex = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString('hex');
  const rows = async (kind: ExpiringKeyKind) =>
    (await once.after(kind, new Uint8Array(0), 1_000_000)).map((row) =>
      JSON.stringify([hex(row.key), hex(row.digest), row.label, row.content, row.keepUntil]),
    );
  return {
    checkpoint: (await store.head())?.checkpoint,
    identity: await store.identity(),
    records: records.map(({ digest, leaf, salt, content, ...record }) =>
      JSON.stringify([record, hex(digest), hex(leaf), hex(salt), hex(content)]),
    ),
    uses: await rows('uses'),
    issued: await rows('issued'),
  };
}

/** Changes a ledger file as somebody can who may write it. */
function tamper(file: string, sql: string, values: readonly unknown[]): void {
  const database = new DatabaseSync(file);
  const triggers = database.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`).all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
  database.prepare(sql.replaceAll(/\$\d/g, '?')).run(...(values as Uint8Array[]));
  for (const { sql: trigger } of triggers) database.exec(String(trigger));
  database.close();
}
