// Examines a copy: each entry of the ledger is hashed and found in each index, the head is compared with the checkpoint that the ledger's
// key signed, SQLite checks every page, and the key files are compared with the keys that the ledger names.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type DataDir, filesIn, readLedgerKey } from '../data-directory/data-dir.ts';
import { describeLoss } from '../data-directory/history-check.ts';
import { EctError } from '../errors.ts';
import { rootKeysInUse } from '../key-manager/index.ts';
import {
  checkHistory,
  HistoryLost,
  type KeptCheckpoint,
  Ledger,
  type LedgerCheckpoint,
  type LedgerKey,
} from '../ledger/index.ts';
import { LocalSigner, readOwnKeyFile } from '../signers/local/index.ts';
import {
  damageIn,
  EXPIRING_KEY_TABLES,
  ExpiringKeyExaminer,
  LedgerExaminer,
  SqliteLedgerStore,
} from '../stores/sqlite/index.ts';
import { isSigningKey } from './names.ts';
import { rejection } from './rejections.ts';

/** Called repeatedly with the number of examined entries and their total. */
export type OnExamined = (done: number, total: number) => void;

/** The result for an intact ledger. */
export interface ExaminedLedger {
  readonly checkpoint: LedgerCheckpoint;
  readonly newestMs: number;
  /** The locations of signing keys outside of the directory. They are not in the backup. */
  readonly keysElsewhere: readonly string[];
}

const MAX_FAULTS = 20;
const ENTRIES_AT_ONCE = 500;
const ROWS_AT_ONCE = 1_000;

/**
 * Examines the copies in `path`. `shown` is the mark of the source, which was read before the ledger was copied. A source that has lost
 * entries is rejected, because its backup would hide the loss.
 */
export async function examineCopies(
  path: string,
  source: DataDir,
  shown: readonly KeptCheckpoint[],
  onExamined: OnExamined,
): Promise<ExaminedLedger> {
  const dir = filesIn(path);
  const key = await readLedgerKey(dir);
  const store = SqliteLedgerStore.openReadOnly(dir.ledger, true);
  try {
    if (key === undefined) throw otherKey(source);
    await rejectOtherHistory(store, key, source, shown);
    await rejectDamage(dir, key, source, onExamined);
    if (existsSync(dir.once)) await rejectDamagedOnce(dir.once, source);
    const ledger = await Ledger.open({ store, key, nowMs: Date.now });
    const keysElsewhere = await checkSigningKeys(ledger, path);
    const newestMs = (await store.head())?.recordedAtMs ?? 0;
    return { checkpoint: await ledger.checkpoint(), newestMs, keysElsewhere };
  } finally {
    await store.close();
  }
}

/** Checks that the ledger belongs to the key and contains all published entries. */
async function rejectOtherHistory(
  store: SqliteLedgerStore,
  { verifierKey }: LedgerKey,
  source: DataDir,
  shown: readonly KeptCheckpoint[],
): Promise<void> {
  const identity = await store.identity();
  if (identity !== undefined && identity !== verifierKey) throw otherKey(source);
  try {
    await checkHistory(store, shown, verifierKey);
  } catch (error) {
    if (error instanceof HistoryLost) throw lostHistory(error, source);
    // Other faults are found by the examination.
    if (!(error instanceof EctError)) throw error;
  }
  if (identity !== undefined) return;
  throw rejection('no_ledger', `${source.ledger} holds nothing yet.`, 'Start the service once.');
}

/** The error for a source that has lost entries: its backup would be intact, and would hide the loss. */
export function lostHistory(lost: HistoryLost, source: DataDir): Error {
  return rejection('history_lost', describeLoss(lost, source), 'A backup would hide the loss: none was made.');
}

function otherKey({ ledger, ledgerKey }: DataDir): Error {
  const message = `${ledger} belongs to another key than ${ledgerKey}.`;
  const remedy = 'Repeat the command if one of the two was replaced just now. Else restore both from one backup.';
  return rejection('files_changed', message, remedy);
}

async function rejectDamage(
  { ledger: path }: DataDir,
  { verifierKey }: LedgerKey,
  source: DataDir,
  onExamined: OnExamined,
): Promise<void> {
  const faults: string[] = [];
  const examiner = LedgerExaminer.open(path, true);
  try {
    const size = await examiner.size();
    for (let next = 0; next < size && faults.length < MAX_FAULTS; next++) {
      const damage = examiner.entryFault(next);
      if (damage !== undefined) faults.push(`entry ${next}: ${damage.fault}`);
      if (next % ENTRIES_AT_ONCE !== 0) continue;
      onExamined(next, size);
      await nextTurn();
    }
    faults.push(...(await examiner.wholeFaults(size, verifierKey)).map(({ fault }) => fault));
  } finally {
    examiner.close();
  }
  if (faults.length === 0) return;
  const message = `The copy of ${source.ledger} is damaged: ${listed(faults)}. No backup was made.`;
  const next = `Run \`ect audit ${source.ledger}\`: what it names as well is damage of the ledger itself; else look at the disk of the backup.`;
  throw rejection('LEDGER_CORRUPT', message, next);
}

async function rejectDamagedOnce(path: string, source: DataDir): Promise<void> {
  const faults = await onceFaults(path, true);
  if (faults.length === 0) return;
  const message = `The copy of ${source.once} is damaged: ${listed(faults)}. No backup was made.`;
  const next =
    'Look at the disks of both directories. If the file itself is damaged, a running service says so (storage-damaged).';
  throw rejection('ONCE_CORRUPT', message, next);
}

/** Returns the faults of an `once.db`. `isAtRest`: it has no write-ahead file. */
export async function onceFaults(path: string, isAtRest: boolean): Promise<readonly string[]> {
  const faults: string[] = [];
  let examiner: ExpiringKeyExaminer | undefined;
  try {
    examiner = ExpiringKeyExaminer.open(path, isAtRest);
    for (const table of EXPIRING_KEY_TABLES) {
      for (let after: number | undefined = 0; after !== undefined && faults.length < MAX_FAULTS; await nextTurn()) {
        const part = examiner.rowsFrom(table, after, ROWS_AT_ONCE);
        faults.push(...part.faults);
        after = part.next;
      }
    }
    faults.push(...examiner.wholeFaults(Number.POSITIVE_INFINITY));
  } catch (error) {
    faults.push(damageIn(error));
  } finally {
    examiner?.close();
  }
  return faults;
}

/** Opens each key that the service created and that may still sign. Returns the locations of the other keys. */
async function checkSigningKeys(ledger: Ledger, path: string): Promise<readonly string[]> {
  const elsewhere: string[] = [];
  for (const { kid, locator } of await rootKeysInUse(ledger)) {
    const [, kind, name = ''] = /^([a-z-]+):(.+)$/.exec(locator ?? '') ?? [];
    const file = join(path, name);
    if (kind !== 'data-dir' || !isSigningKey(name) || !existsSync(file)) {
      elsewhere.push(locator ?? kid);
    } else if ((await kidOf(file)) !== kid) {
      const message = `${name} is not the key ${kid} that the ledger announced under this name. No backup was made.`;
      throw rejection(
        'key_unusable',
        message,
        `Put the key back under ${name}, or move the file away to make a backup without it.`,
      );
    }
  }
  return elsewhere;
}

async function kidOf(path: string): Promise<string | undefined> {
  try {
    return (await LocalSigner.open(await readOwnKeyFile(path))).jwk.kid;
  } catch {
    // The cause may quote the file.
    return undefined;
  }
}

function listed(faults: readonly string[]): string {
  return `${faults.slice(0, 3).join('; ')}${faults.length > 3 ? `; and ${faults.length - 3} more` : ''}`;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
