// A restore across an upgrade of `once.db`, in either direction. Whatever is rejected names a step that is not the rejected one.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onceFaults } from '../../src/backup/examine.ts';
import { EXPIRING_KEY_LAYOUT } from '../../src/stores/sqlite/expiring-key-layout.ts';
import { ect } from '../cli/run.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';
import { type Installation, issueRecorded, makeInstallation, use } from './installation.ts';

const NEWER = `PRAGMA user_version=${EXPIRING_KEY_LAYOUT.version + 1}`;

let made: Installation;
let backup = '';
beforeAll(async () => {
  made = await makeInstallation();
  backup = made.path('backup');
  expect(await ect(['backup', backup, '--data-dir', made.dataDir])).toMatchObject({ code: 0 });
});
afterAll(() => made[Symbol.asyncDispose]());

async function restoring(from: string, dataDir: string) {
  const { code, out } = await ect(['restore', from, '--data-dir', dataDir, '--json', '--replace', '--yes']);
  return { code, reported: JSON.parse(out) };
}

function change(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

/** As the first release kept it: one text a row, and no orders. */
function asOlder(path: string): void {
  const table = (name: string, text: string) => `
    DROP INDEX ${name}_by_end;
    ALTER TABLE ${name} RENAME TO new_${name};
    CREATE TABLE ${name} (key BLOB PRIMARY KEY NOT NULL CHECK (length(key) = 32), digest BLOB NOT NULL,
      text TEXT NOT NULL, keep_until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX ${name}_by_end ON ${name} (keep_until);
    INSERT INTO ${name} SELECT key, digest, ${text}, keep_until FROM new_${name};
    DROP TABLE new_${name};`;
  change(path, `${table('uses', 'label')}${table('issued', 'content')}DROP TABLE orders; PRAGMA user_version=1`);
}

/** A backup whose `once.db` another release wrote, with the checksums of that. */
async function backupWith(changeOnce: (path: string) => void): Promise<string> {
  const copy = made.path('backup');
  await cp(backup, copy, { recursive: true });
  changeOnce(join(copy, 'once.db'));
  const once = readFileSync(join(copy, 'once.db'));
  const manifest = JSON.parse(readFileSync(join(copy, 'backup.json'), 'utf8'));
  for (const file of manifest.files) if (file.name === 'once.db') file.bytes = once.length;
  const text = `${JSON.stringify({ ...manifest, version: '9.1.0' })}\n`;
  writeFileSync(join(copy, 'backup.json'), text);
  const sums = readFileSync(join(copy, 'SHA256SUMS'), 'utf8')
    .replace(/[0-9a-f]{64}(?= {2}once\.db)/, sha256(once))
    .replace(/[0-9a-f]{64}(?= {2}backup\.json)/, sha256(text));
  writeFileSync(join(copy, 'SHA256SUMS'), sums);
  return copy;
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The use, and the keys of five tasks, in a sound file with nothing beside it. */
async function expectKept(dataDir: string): Promise<void> {
  const once = join(dataDir, 'once.db');
  expect(readdirSync(dataDir).filter((name) => /once\.db-/.test(name))).toEqual([]);
  expect(await onceFaults(once, true)).toEqual([]);
  const database = new DatabaseSync(once, { readOnly: true });
  const counts = database.prepare(
    'SELECT (SELECT count(*) FROM uses) AS uses, (SELECT count(*) FROM issued) AS issued',
  );
  expect(counts.get()).toEqual({ uses: 1, issued: 5 });
  database.close();
}

/** A start over the directory knows the use and the request ids of the installation. */
async function expectRemembered(dataDir: string): Promise<void> {
  await using service = await startService({ ECT_DATA_DIR: dataDir });
  using client = dial(service.address);
  expect(await use(client, made.used.token)).toMatchObject({ finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' } });
  expect((await issueRecorded(client, made.used.key)).token).toBe(made.used.token);
  await service.stop();
}

describe('L18 L19 a backup of an older release', () => {
  test('is brought up to date, and knows each use and request id', async () => {
    const dataDir = made.path('restored');
    const older = await backupWith(asOlder);
    expect(await restoring(older, dataDir)).toMatchObject({ code: 0 });
    await expectKept(dataDir);
    await expectRemembered(dataDir);
  });

  test('is compared with the once.db that stays', async () => {
    const dataDir = await made.copy();
    change(join(dataDir, 'once.db'), 'DELETE FROM uses');
    const { code, reported } = await restoring(await backupWith(asOlder), dataDir);
    expect([code, reported.stayed, reported.added]).toEqual([0, ['once.db', 'clock.json'], 1]);
    await expectKept(dataDir);
  });
});

test('L18 a backup of a newer release is rejected, and the rejection names the release that restores it', async () => {
  const dataDir = made.path('restored');
  const { code, reported } = await restoring(await backupWith((path) => change(path, NEWER)), dataDir);
  expect([code, reported.error.reason]).toEqual([1, 'backup_newer']);
  expect(reported.error.message).toContain('once.db in the backup');
  expect(reported.error.message).not.toContain('restore a backup');
  expect(reported.error.remedy).toBe('Restore it with release 9.1.0 or a later one.');
  expect(readdirSync(dataDir).filter((name) => !name.startsWith('owner.'))).toEqual([]);
});

describe('L18 over a directory whose once.db', () => {
  test('is of an older release, it stays and is brought up to date', async () => {
    const dataDir = await made.copy();
    asOlder(join(dataDir, 'once.db'));
    const { code, reported } = await restoring(backup, dataDir);
    expect([code, reported.stayed]).toEqual([0, ['once.db', 'clock.json']]);
    expect(reported.onceFault).toBeUndefined();
    await expectKept(dataDir);
  });

  test('is of a newer release, which a start rejects with this advice, it is put aside, and that is said', async () => {
    const dataDir = await made.copy();
    change(join(dataDir, 'once.db'), NEWER);
    const { code, reported } = await restoring(backup, dataDir);
    expect([code, reported.stayed]).toEqual([0, ['clock.json']]);
    expect(reported.onceFault).toBe('it was written by a newer release, and this one cannot read it');
    expect(readdirSync(reported.keptIn)).toContain('once.db');
    await expectKept(dataDir);
    const again = await made.copy();
    change(join(again, 'once.db'), NEWER);
    const { err } = await ect(['restore', backup, '--data-dir', again, '--replace', '--yes']);
    expect(err).toContain('The once.db that was there did not stay: it was written by a newer release');
    expect(err).toContain('can be used once more');
  });

  test('is of an older release, a backup says to start this one once, or to use that one', async () => {
    const dataDir = await made.copy();
    asOlder(join(dataDir, 'once.db'));
    const { code, out } = await ect(['backup', made.path('backup'), '--data-dir', dataDir, '--json']);
    const { error } = JSON.parse(out);
    expect([code, error.reason]).toEqual([1, 'LEDGER_UNAVAILABLE']);
    expect(error.message).toContain(
      `was written by an older release (schema 1, this release knows ${EXPIRING_KEY_LAYOUT.version})`,
    );
    expect(error.message).toContain('start this one once');
  });
});
