// `ect ledger copy`: from a data directory into PostgreSQL and back.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { type DocumentStore, type LedgerStore, openCheckpoint } from '../../src/ledger/index.ts';
import { ledgerCopier } from '../../src/ledger-copy/index.ts';
import type { ExpiringKeyKind, ExpiringKeyRows } from '../../src/stores/expiring-keys.ts';
import { MarkFile } from '../../src/stores/mark-file.ts';
import { makeLedger } from '../backup/ledgers.ts';
import { ect } from '../cli/run.ts';
import { naiveRoot } from '../ledger/naive-tree.ts';
import { checkLedger } from '../support/check-ledger.ts';
import { checkStore } from '../support/check-store.ts';
import { FULL } from '../support/full.ts';
import { describeWithPostgres } from '../support/postgres.ts';
import { MAIN } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import {
  copyOfOriginal,
  FOREIGN,
  freshDatabase,
  inDatabase,
  inDirectory,
  makeOriginal,
  path,
  readKey,
  server,
  size,
  TIMEOUT_MS,
  verifierKey,
} from './copies.ts';

/** As the release before wrote the file. */
function asRelease2(once: string): void {
  const database = new DatabaseSync(once);
  database.exec('ALTER TABLE orders DROP COLUMN provenance; PRAGMA user_version=3');
  database.close();
}

describeWithPostgres('ect ledger copy', () => {
  makeOriginal();

  test('L18 L40: what the release before remembers once is copied as it is, without a start of this one', async () => {
    const source = await copyOfOriginal();
    const once = join(source, 'once.db');
    asRelease2(once);
    const before = await readFile(once);
    const { env } = await freshDatabase();
    const { code, out, err } = await ect(['ledger', 'copy', source, 'postgres', '--json'], '', env);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({ treeSize: String(size), uses: '1203', requestIds: '7' });
    expect((await readFile(once)).equals(before)).toBe(true);
  });

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
});

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
async function contentOf(store: LedgerStore & DocumentStore, once: ExpiringKeyRows) {
  const records = await store.list({ startIndex: 0, limit: Number.MAX_SAFE_INTEGER, withContent: true });
  const hex = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString('hex');
  const rows = async (kind: ExpiringKeyKind) =>
    (await once.after(kind, new Uint8Array(0), 1_000_000)).map((row) =>
      JSON.stringify([hex(row.key), hex(row.digest), row.label, row.content, row.keepUntil]),
    );
  return {
    checkpoint: (await store.head())?.checkpoint,
    identity: await store.identity(),
    records: records.map(({ digest, leaf, salt, content, provenance, ...record }) =>
      JSON.stringify([record, hex(digest), hex(leaf), hex(salt), hex(content), hex(provenance)]),
    ),
    documents: await Promise.all(
      (await store.documents()).map(async (digest) => hex((await store.document(digest))!.content)),
    ),
    uses: await rows('uses'),
    issued: await rows('issued'),
  };
}
