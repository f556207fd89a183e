// An audit that goes on from where an earlier one stopped, over the network and from the file.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { ect } from './run.ts';

let service: ServiceProcess;
let directory = '';
let at: readonly string[] = [];
let ledger = '';

beforeAll(async () => {
  service = await startService({ ECT_ADMINS: 'anonymous' });
  directory = await mkdtemp(join(tmpdir(), 'ect-audit-state-'));
  at = ['--url', service.url];
  ledger = join(service.dataDir, 'ledger.db');
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function record(tasks: number): Promise<void> {
  const issue = () => ect(['issue', '--exec-act', 'a', '--aud', 'urn:ect:dev', '--level', 'L3', ...at]);
  for (let task = 0; task < tasks; task += 1) expect((await issue()).code).toBe(0);
}

async function audit(...argv: string[]) {
  const { code, out, err } = await ect(['audit', ...argv, '--json']);
  return { code, err, report: code === 2 ? {} : JSON.parse(out) };
}

/** A copy of the ledger as somebody left it who may write it. */
function tamperedCopy(name: string, sql: string): string {
  const path = join(directory, `${name}.db`);
  const original = new DatabaseSync(ledger, { readOnly: true });
  original.prepare('VACUUM INTO ?').run(path);
  original.close();
  const copy = new DatabaseSync(path);
  for (const row of copy.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all()) {
    copy.exec(`DROP TRIGGER ${String(row['name'])}`);
  }
  copy.exec(sql);
  copy.close();
  return path;
}

test('the entries of a service come in pages: no call is made for a single one', async () => {
  await record(5);
  expect((await audit(...at)).report).toMatchObject({ ok: true, withoutToken: 0 });
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  // The page, and the question whether damage is known.
  expect(metrics).toMatch(/ect_calls_total\{method="ect\.v1\.LedgerService\/ListEntries",code="OK",reason=""\} 2\n/);
  expect(metrics).not.toContain('LedgerService/GetEntry');
});

test.each(['service', 'file'])('L8: the audit of a %s continues where the previous one stopped', async (kind) => {
  const source = kind === 'file' ? [ledger] : at;
  const state = ['--state', join(directory, `${kind}.audit-state`)];
  const first = await audit(...source, ...state);
  expect(first.report).toMatchObject({ ok: true, fromIndex: '0' });
  for (const added of [0, 1, 2, 4]) {
    await record(added);
    const { code, report } = await audit(...source, ...state);
    const whole = await audit(...source);
    expect(code).toBe(0);
    expect(report).toMatchObject({ ok: true, rootHash: whole.report.rootHash, keys: { announced: 1 } });
    expect(Number(report.treeSize) - Number(report.fromIndex)).toBe(added);
  }
  const { out } = await ect(['audit', ...source, ...state]);
  expect(out).toMatch(/entries +\d+\n {2}read now +0, from index \d+ on/);
});

test('L8: a ledger with another past, or with fewer entries, does not follow from the state', async () => {
  const state = ['--state', join(directory, 'past.audit-state')];
  expect((await audit(ledger, ...state)).code).toBe(0);
  const size = Number((await audit(ledger)).report.treeSize);
  await record(1);
  await using other = await startService();
  const foreign = await audit('--url', other.url, ...state);
  expect(foreign.code).toBe(2);
  expect(foreign.err).toContain('is the state of another ledger');

  const shorter = tamperedCopy(
    'shorter',
    "DELETE FROM entries; UPDATE head SET size = 0, frontier = x'', recorded_at = 0",
  );
  const rolledBack = await audit(shorter, ...state);
  expect(rolledBack.code).toBe(1);
  const key = new DatabaseSync(join(directory, 'past.audit-state'));
  const place = JSON.parse(String(key.prepare('SELECT text FROM place').get()?.['text']));
  // A state whose tree is not the one of the ledger.
  place.frontier[0] = Buffer.alloc(32).toString('base64');
  key.prepare('UPDATE place SET text = ?').run(JSON.stringify(place));
  key.close();
  const { code, report } = await audit(ledger, ...state);
  expect(code).toBe(1);
  expect(report.faults.map(({ fault }: { fault: string }) => fault)).toContain(
    `the first ${size + 1} leaves do not lead to the root that the current checkpoint signs`,
  );
});

test('L8: a name that an entry before the state has is found again', async () => {
  const state = join(directory, 'names.audit-state');
  expect((await audit(ledger, '--state', state)).code).toBe(0);
  const names = new DatabaseSync(state);
  names.exec('CREATE TABLE before AS SELECT name FROM names');
  const size = Number((await audit(ledger)).report.treeSize);
  await record(1);
  expect((await audit(ledger, '--state', state)).report.fromIndex).toBe(String(size));
  // The auditor's memory as if the newest entry had been there before it was read.
  const place = JSON.parse(String(names.prepare('SELECT text FROM place').get()?.['text']));
  expect(place.size).toBe(size + 1);
  expect(names.prepare('SELECT count(*) AS n FROM names').get()?.['n']).toBe(size + 1);
  names.close();
});

test('a fault keeps the state where it was, so that the next audit finds it again', async () => {
  const state = ['--state', join(directory, 'fault.audit-state')];
  const { report } = await audit(ledger, ...state);
  await record(1);
  const copy = tamperedCopy('bad', `UPDATE entries SET salt = zeroblob(32) WHERE idx = ${Number(report.treeSize)}`);
  for (const round of [1, 2]) {
    const found = await audit(copy, ...state);
    expect([round, found.code, found.report.fromIndex]).toEqual([round, 1, report.treeSize]);
    expect(found.report.faults[0].index).toBe(Number(report.treeSize));
  }
  expect((await audit(ledger, ...state)).code).toBe(0);
});

test('a checkpoint from before the state is not passed over in silence', async () => {
  const state = ['--state', join(directory, 'earlier.audit-state')];
  const old = join(directory, 'old.checkpoint');
  await writeFile(old, (await ect(['checkpoint', ...at])).out);
  await record(1);
  expect((await audit(ledger, ...state, '--earlier', old)).code).toBe(0);
  const { code, report } = await audit(ledger, ...state, '--earlier', old);
  expect(code).toBe(1);
  expect(report.faults[0].fault).toContain('audit from the first entry');
});

test('a file that is no state of an audit is wrong usage and is not touched', async () => {
  const { code, err } = await audit(...at, '--state', ledger);
  expect(code).toBe(2);
  expect(err).toContain('cannot be used as the state of an audit');
  expect((await audit(ledger)).report).toMatchObject({ ok: true, keys: { announced: 1 } });
});
