// L18: a data directory that the release before provenances has written: it is read as it is, brought up to date by a start, and holds.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { readOpenRecordings, SqliteLedgerStore } from '../../src/stores/sqlite/index.ts';
import { runMain, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

/** Made by a service of schema 2 (ledger) and 3 (once): three tasks, a mark, entries about keys, and an order that nobody carried out. */
const ARCHIVE = fileURLToPath(new URL('data-of-schema-2.tar.gz', import.meta.url));
const PENDING = '550e8400-e29b-41d4-a716-446655440001';

const folder = mkdtempSync(join(tmpdir(), 'ect-earlier-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function unpacked(name: string): string {
  const path = join(folder, name);
  execFileSync('mkdir', ['-p', path]);
  execFileSync('tar', ['-xzf', ARCHIVE, '-C', path]);
  return path;
}

function versionOf(file: string): unknown {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return database.prepare('SELECT user_version AS n FROM pragma_user_version').get()?.['n'];
  } finally {
    database.close();
  }
}

interface Audit {
  readonly ok: boolean;
  readonly treeSize: string;
  readonly provenance: Readonly<Record<string, unknown>>;
}

async function audit(file: string): Promise<Audit> {
  const { code, stdout, stderr } = await runMain(['audit', file, '--json']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout) as Audit;
}

test('L18 an earlier ledger is audited as it is, and nothing of it changes', async () => {
  const file = join(unpacked('read'), 'ledger.db');
  expect(await audit(file)).toMatchObject({ ok: true, provenance: { entries: 0, gapCount: 0 } });
  expect(versionOf(file)).toBe(2);
  const store = SqliteLedgerStore.openReadOnly(file, true);
  expect([await store.documents(), (await store.at(0))?.provenance]).toEqual([[], null]);
  await store.close();
});

test('L18 a backup copies it unchanged, and a restore migrates its expiring keys and its pending recording', async () => {
  const data = unpacked('backed-up');
  const backup = join(folder, 'backup');
  expect(await runMain(['backup', backup, '--data-dir', data])).toMatchObject({ code: 0 });
  expect([versionOf(join(data, 'once.db')), versionOf(join(backup, 'once.db'))]).toEqual([3, 3]);
  const restored = join(folder, 'restored');
  // Of the two, what the directory remembers is newer and stays: the order is read from there as well.
  for (const replace of [[], ['--replace', '--yes']]) {
    expect(await runMain(['restore', backup, '--data-dir', restored, ...replace])).toMatchObject({ code: 0 });
    expect(versionOf(join(restored, 'once.db'))).toBe(4);
    expect(readOpenRecordings(join(restored, 'once.db'))).toMatchObject([{ jti: PENDING, provenance: null }]);
  }
  expect(readOpenRecordings(join(data, 'once.db'))).toMatchObject([{ jti: PENDING }]);
});

test('L18 a start brings it up to date, carries out the order that was open, and goes on with provenances', async () => {
  const data = unpacked('start');
  const file = join(data, 'ledger.db');
  const before = Number((await audit(file)).treeSize);
  await using service = await startService({ ECT_DATA_DIR: data, ECT_ADMINS: 'anonymous' });
  const call = async (method: string, body: object) => {
    const answer = await fetch(`${service.url}/ect.v1.${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as { entry?: Record<string, unknown> } };
  };
  const ofOrder = () => call('LedgerService/GetEntry', { task: { jti: PENDING } });
  await expect.poll(async () => (await ofOrder()).status, SOON).toBe(200);
  // Nobody wrote down what had allowed it.
  expect((await ofOrder()).body.entry).not.toHaveProperty('provenance');
  const order = { execAct: 'pay', aud: ['urn:example:reader'], level: 'LEVEL_L3', jti: crypto.randomUUID() };
  expect((await call('AuthorityService/Issue', order)).status).toBe(200);
  const fresh = await call('LedgerService/GetEntry', { task: { jti: order.jti } });
  expect(fresh.body.entry).toMatchObject({ provenance: { action: 'Issue', policyDigest: 'built-in' } });
  await service.stop();
  expect([versionOf(file), versionOf(join(data, 'once.db'))]).toEqual([3, 4]);
  const { treeSize, ...rest } = await audit(file);
  expect(rest).toMatchObject({ ok: true, provenance: { entries: 1, gapCount: 0 } });
  expect(Number(treeSize)).toBeGreaterThanOrEqual(before + 2);
  // The schema is the one that a file has which is made now: a start compares the two, letter by letter.
  await service.restart();
  expect(service.events('storage-damaged')).toEqual([]);
});

test('L18 a file of a newer schema is rejected with what to do', async () => {
  const data = unpacked('newer');
  for (const [name, version] of [
    ['ledger.db', 4],
    ['once.db', 5],
  ] as const) {
    cpSync(join(data, name), join(data, `${name}.kept`));
    const database = new DatabaseSync(join(data, name));
    database.exec(`PRAGMA user_version=${version}`);
    database.close();
    const { code, stderr } = await runMain(['serve'], { ECT_DATA_DIR: data, ECT_LISTEN: '127.0.0.1:0' });
    expect(code).not.toBe(0);
    expect(stderr).toContain(`was written by a newer release (schema ${version}`);
    cpSync(join(data, `${name}.kept`), join(data, name));
  }
});
