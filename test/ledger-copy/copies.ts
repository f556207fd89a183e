// A data directory with a ledger, and copies of it in databases and directories.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { provenanceOf } from '../../src/authority/index.ts';
import { filesIn, openDataDir, readLedgerKey } from '../../src/data-directory/data-dir.ts';
import { type DocumentStore, type LedgerStore, leafHash } from '../../src/ledger/index.ts';
import { policyDocument } from '../../src/policy/policy-texts.ts';
import type { ExpiringKeyRow, ExpiringKeyRows } from '../../src/stores/expiring-keys.ts';
import { PostgresDatabase, PostgresExpiringKeyRows, PostgresLedgerStore } from '../../src/stores/postgres/index.ts';
import { SqliteExpiringKeyRows, SqliteLedgerStore } from '../../src/stores/sqlite/index.ts';
import { makeLedger, openOwnLedger } from '../backup/ledgers.ts';
import { ect } from '../cli/run.ts';
import { ISSUERS, task } from '../stores/sqlite/recorded-ledger.ts';
import { workload } from '../support/callers.ts';
import { FULL, rounds } from '../support/full.ts';
import { type PostgresServer, SERVICE_ROLE, startPostgres } from '../support/postgres.ts';

/** More than a page of a copy; in the full run so many that its process can be killed half way. */
const TASKS = FULL ? 2_500 : 300;
/** An entry that is neither the first nor the last of a page. */
export const CHOSEN = 217;
export const TIMEOUT_MS = rounds(300_000, 60_000);
export const FOREIGN = ISSUERS.flatMap((iss) => ['--foreign', iss]);

export let server: PostgresServer;
let folder: string;
/** A stopped data directory; tests copy it. */
export let original: string;
export let size: number;
let copied: Readonly<Record<'ECT_POSTGRES_URL' | 'ECT_POSTGRES_PASSWORD_FILE' | 'ECT_LEDGER_KEY_FILE', string>>;
let made = 0;

/** Makes the original for the tests of one file. */
export function makeOriginal(): void {
  beforeAll(async () => {
    server = await startPostgres();
    folder = await mkdtemp(join(tmpdir(), 'ect-copy-'));
    original = join(folder, 'original');
    await makeLedger(original, TASKS);
    size = await addProvenance(original);
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
}

/** One more entry, which says who had it recorded, and the policy that it names. Answers how many entries there are. */
async function addProvenance(dataDir: string): Promise<number> {
  const dir = await openDataDir(dataDir);
  const ledger = await openOwnLedger(dir);
  const document = policyDocument({ policy: 'permit (principal, action, resource);' });
  const caller = workload('spiffe://example.org/a');
  const provenance = provenanceOf({ caller, action: 'Issue', policy: document.digest });
  // A multiple of three: such a task is alone in its workflow.
  const { record } = await ledger.append({ ...task(3 * TASKS), provenance });
  expect(record.provenance).not.toBeNull();
  await ledger.close();
  const store = SqliteLedgerStore.open(dir.ledger);
  await store.keepDocument(document);
  await store.close();
  return ledger.size();
}

export const path = (name = 'dir') => join(folder, `${name}-${made++}`);
export async function copyOfOriginal(): Promise<string> {
  const copy = path();
  await cp(original, copy, { recursive: true });
  return copy;
}
export async function freshDatabase() {
  const name = `copy_${made++}`;
  const env = await server.makeDatabase(name);
  return { name, env: { ...env, ECT_LEDGER_KEY_FILE: join(original, 'ledger.key') } };
}
/** One that holds the ledger already. */
export async function copiedDatabase() {
  const name = `copied_${made++}`;
  await server.run('createdb', '--template=copied', name);
  return { name, env: { ...copied, ECT_POSTGRES_URL: copied.ECT_POSTGRES_URL.replace('/copied?', `/${name}?`) } };
}
export async function inDatabase<T>(
  name: string,
  read: (store: LedgerStore & DocumentStore, once: ExpiringKeyRows) => Promise<T>,
): Promise<T> {
  const database = new PostgresDatabase({ ...server.target(SERVICE_ROLE, name), program: 'ect-test' }, 2);
  try {
    return await read(new PostgresLedgerStore(database), new PostgresExpiringKeyRows(database));
  } finally {
    await database.close();
  }
}
export async function inDirectory<T>(
  dataDir: string,
  read: (store: LedgerStore & DocumentStore, once: ExpiringKeyRows) => Promise<T>,
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
export const verifierKey = async () => (await readKey(original)).verifierKey;

function rowsOf(what: string, count: number): readonly ExpiringKeyRow[] {
  return Array.from({ length: count }, (_, n) => {
    const key = leafHash(Buffer.from(`${what} ${n}`));
    return { key, digest: leafHash(Buffer.from('')), label: `label ${n}`, content: '', keepUntil: 4_000_000_000 + n };
  });
}

export async function readKey(dataDir: string) {
  return (await readLedgerKey(filesIn(dataDir)))!;
}
