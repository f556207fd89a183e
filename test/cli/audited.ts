// A ledger of a running service for the audits of one test file, and copies of it that were changed.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll } from 'vitest';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { ect } from './run.ts';

export const ENTRIES = 7;
/** The first entries announce the signing key and make it active. */
export const KEY_ENTRIES = 2;
export const MARK = 5;

export let service: ServiceProcess;
export let directory = '';
export let url = '';
export let ledger = '';
export let key = '';
export let earlier = '';

beforeAll(async () => {
  service = await startService({ ECT_ADMINS: 'anonymous' });
  directory = await mkdtemp(join(tmpdir(), 'ect-audit-'));
  url = service.url;
  ledger = join(service.dataDir, 'ledger.db');
  // Entry 5 is a mark, among tasks.
  for (let entry = KEY_ENTRIES; entry < ENTRIES; entry += 1) {
    if (entry === MARK) {
      await ect(['taint', '--kid', 'stolen', '--note', 'laptop lost', '--yes', '--url', url]);
      continue;
    }
    await ect(['issue', '--exec-act', `task_${entry}`, '--aud', 'urn:ect:dev', '--level', 'L3', '--url', url]);
    if (entry === 2) earlier = (await ect(['checkpoint', '--url', url])).out;
  }
  key = (await ect(['checkpoint', '--key', '--url', url])).out.trim();
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** Changes a ledger file as somebody can who may write it: the triggers are dropped first, and made anew. */
export function tamper(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
  database.exec(sql);
  for (const { sql: trigger } of triggers) database.exec(String(trigger));
  database.close();
}

export function tamperedCopy(name: string, sql: string): string {
  const path = join(directory, `${name}.db`);
  const original = new DatabaseSync(ledger, { readOnly: true });
  original.prepare('VACUUM INTO ?').run(path);
  original.close();
  tamper(path, sql);
  return path;
}

export interface Report {
  readonly ok: boolean;
  readonly treeSize: string;
  readonly rootHash: string;
  readonly keySource: string;
  readonly withoutToken: number;
  readonly keys: { readonly announced: number; readonly usesBefore: number; readonly keySet: string };
  readonly faults: readonly { readonly index: number | null; readonly fault: string }[];
}

export async function auditJson(...argv: string[]): Promise<{ code: number; report: Report }> {
  const { code, out } = await ect(['audit', ...argv, '--json']);
  return { code, report: JSON.parse(out) as Report };
}
