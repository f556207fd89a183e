// One name, one history: a data directory whose ledger is not what was shown of it is rejected, with what the operator can do.

import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { EctError } from '../errors.ts';
import { checkHistory, HistoryLost, type KeptCheckpoint, type LedgerKey } from '../ledger/index.ts';
import { MarkFile } from '../stores/mark-file.ts';
import { SqliteLedgerStore } from '../stores/sqlite/index.ts';
import { type DataDir, StartError } from './data-dir.ts';

/**
 * Compares the ledger with its mark, read-only, so that the rest of a damaged ledger stays unchanged. StartError if entries are
 * missing or different. Other faults of the store are found when it is opened.
 */
export async function rejectLostHistory(dir: DataDir, { verifierKey }: LedgerKey): Promise<void> {
  const lost = await findLoss(dir, verifierKey);
  if (lost !== undefined) throw new StartError(describeLoss(lost, dir), { cause: lost });
}

/** What was lost of the ledger; undefined where nothing was, as far as the mark tells. */
export async function findLoss(dir: DataDir, verifierKey: string): Promise<HistoryLost | undefined> {
  try {
    const kept = MarkFile.read(dir.mark);
    if (bytesIn(dir.ledger) > 0) await checkReadOnly(dir, kept, verifierKey);
    else if (kept.length > 0) await checkHistory(undefined, kept, verifierKey);
    // `once.db` is made after `ledger.db`, so there was one, before there were marks.
    else if (bytesIn(dir.once) > 0) return new HistoryLost('gone', undefined, 0);
    return undefined;
  } catch (error) {
    if (error instanceof HistoryLost) return error;
    throw error;
  }
}

async function checkReadOnly(dir: DataDir, kept: readonly KeptCheckpoint[], verifierKey: string): Promise<void> {
  if (kept.length === 0) return;
  let store: SqliteLedgerStore | undefined;
  try {
    // Without a write-ahead file no process has it open, and the read creates no other file.
    store = SqliteLedgerStore.openReadOnly(dir.ledger, !existsSync(`${dir.ledger}-wal`));
    await checkHistory(store, kept, verifierKey);
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
  } finally {
    await store?.close();
  }
}

/** What is wrong, and each way out of it. */
export function describeLoss({ kind, shown, size }: HistoryLost, dir: DataDir): string {
  const [ledger, mark] = [basename(dir.ledger), basename(dir.mark)];
  const was =
    shown === undefined
      ? 'this directory has had a ledger'
      : `this ledger has shown ${shown.size} entries, the last of ${new Date(shown.recordedAtMs).toISOString()} (${mark})`;
  switch (kind) {
    case 'gone':
      return `${ledger} in ${dir.path} is missing or empty, but ${was}. ${waysOut(dir)}`;
    case 'shorter':
      return `${ledger} in ${dir.path} holds ${size} entries, but ${was}: acknowledged entries are missing. ${waysOut(dir)}`;
    case 'different':
      return `${ledger} in ${dir.path} holds another history than was shown: ${was}, and they are not these. ${waysOut(dir)}`;
    case 'foreign mark':
      return (
        `${mark} in ${dir.path} is not signed by the key in ${basename(dir.ledgerKey)}: they are of different ledgers. ` +
        `Restore ${basename(dir.ledgerKey)} and ${ledger} that belong to it, or run ${newOrigin(dir)}.`
      );
    case 'damaged mark':
      return (
        `${mark} in ${dir.path} is damaged, so nothing shows whether entries of the ledger are missing. Run \`ect audit\` with a ` +
        `checkpoint that was kept elsewhere (--earlier); where it finds no fault, remove ${mark}: the next start makes it anew.`
      );
  }
}

/** The same of a ledger in a database, which a replica holds against its own mark. Nothing was written. */
export function describeSharedLoss({ kind, shown, size }: HistoryLost, dir: DataDir): string {
  if (shown === undefined) {
    return (
      `${basename(dir.mark)} in ${dir.path} is damaged or of another ledger, so nothing shows whether entries of the ledger in the ` +
      'database are missing. Run `ect audit` with a checkpoint that was kept elsewhere (--earlier); where it finds no fault, remove the file.'
    );
  }
  const was = `this replica has shown ${shown.size} entries, the last of ${new Date(shown.recordedAtMs).toISOString()} (${basename(dir.mark)} in ${dir.path})`;
  const is =
    kind === 'different'
      ? `The database holds another history than was shown: ${was}, and they are not these.`
      : `The database holds ${size} entries of the ledger, but ${was}.`;
  return (
    `${is} Nothing was changed. Do one of these:\n` +
    '  - check that ECT_POSTGRES_URL leads to the right database and server; if that was restored, restore it to a later moment, to all that was archived;\n' +
    '  - begin a new ledger: another database (ect db init), another key (ect keygen --ledger) for every replica, and no ledger.mark in their data directories;\n' +
    `  - ect ledger accept-loss --data-dir ${dir.path}, with the settings of this replica: the ledger goes on with what is left, and an entry in it states the ` +
    'loss. Receipts and checkpoints of missing entries will contradict it. Repeat it for the data directory of each replica that is rejected.'
  );
}

function waysOut(dir: DataDir): string {
  return (
    'Nothing was changed. Do one of these:\n' +
    `  - put the newest copy of ${basename(dir.ledger)} back (without its -wal and -shm files, and not ${basename(dir.mark)}), or a backup by ect restore --replace, and start again;\n` +
    `  - ${newOrigin(dir)}: a new ledger begins under a new key and name, and what is left of this one is kept;\n` +
    `  - ect ledger accept-loss --data-dir ${dir.path}: this ledger goes on with what is left, and an entry in it states the loss. ` +
    'Receipts and checkpoints of missing entries will contradict it.'
  );
}

function newOrigin(dir: DataDir): string {
  return `ect ledger new-origin --data-dir ${dir.path}`;
}

/** 0 where nothing is there. */
function bytesIn(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
