// `ect policy recorded` and `ect policy digest`: what a ledger keeps, also where somebody has changed its file.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { policyDocument } from '../../src/policy/policy-texts.ts';
import { SqliteLedgerStore } from '../../src/stores/sqlite/index.ts';
import { runMain } from '../support/service-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'ect-recorded-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a damaged policy is named and hides none of the others, and its name cannot steer a terminal', async () => {
  const file = join(folder, 'ledger.db');
  const whole = policyDocument({ policy: 'permit (principal, action, resource);\n' });
  const store = SqliteLedgerStore.open(file);
  await store.keepDocument(whole);
  await store.close();
  const database = new DatabaseSync(file);
  database.prepare('INSERT INTO documents VALUES (?, ?)').run('\u001b[2Jname', Buffer.from('{}'));
  database.close();

  const { code, stdout } = await runMain(['policy', 'recorded', file]);
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`^${whole.digest} +policy: 38 bytes$`, 'm'));
  expect(stdout).toMatch(/^\\u\{1b\}\[2Jname +damaged: it has another digest$/m);
  const json = await runMain(['policy', 'recorded', file, '--json']);
  expect([json.code, JSON.parse(json.stdout)]).toEqual([
    1,
    { policies: [{ digest: whole.digest, bytes: { policy: 38 } }], damaged: ['\u001b[2Jname'] },
  ]);
});

test('a file of a newer release is rejected with a step for its operator, not for a caller of a service', async () => {
  const file = join(folder, 'newer.db');
  await SqliteLedgerStore.open(file).close();
  const database = new DatabaseSync(file);
  database.exec('PRAGMA user_version=99');
  database.close();
  const { code, stderr } = await runMain(['policy', 'recorded', file]);
  expect(code).toBe(1);
  expect(stderr).toContain('was written by a newer release');
  expect(stderr).toContain('next: Do what the message says.');
});

test('what no service accepts as a policy has no digest', async () => {
  const file = join(folder, 'latin1.cedar');
  writeFileSync(file, Buffer.from('// gr\xfc\xdfe\n', 'latin1'));
  const { code, stdout, stderr } = await runMain(['policy', 'digest', file]);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain('latin1.cedar is not UTF-8');
  const twice = await runMain(['policy', 'digest', '-', '--limits', '-']);
  expect([twice.code, twice.stdout]).toEqual([2, '']);
  expect(twice.stderr).toContain('only one of the two files can be stdin');
});
