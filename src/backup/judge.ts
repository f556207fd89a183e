// Decides whether the ledger of a backup may replace the contents of a data directory: it must be the same ledger, and contain all
// published entries.

import { existsSync } from 'node:fs';
import { LOSS_SCOPE } from '../authority/index.ts';
import { type DataDir, readLedgerKey } from '../data-directory/data-dir.ts';
import { describeLoss } from '../data-directory/history-check.ts';
import { EctError } from '../errors.ts';
import {
  checkHistory,
  HistoryLost,
  type KeptCheckpoint,
  type LedgerKey,
  openCheckpoint,
  parseVerifierKey,
  type ShownCheckpoint,
} from '../ledger/index.ts';
import { MarkFile } from '../stores/mark-file.ts';
import { SqliteLedgerStore } from '../stores/sqlite/index.ts';
import { rejection } from './rejections.ts';

/** A limit for the search; each loss is stated by an operator, once. */
const MAX_LOSSES = 1_000;

/**
 * Compares the ledger of the backup with what this directory has published. Returns the newest checkpoint that the backup does not
 * contain, if that loss is accepted; undefined if nothing is missing. Throws otherwise.
 */
export async function judge(
  dir: DataDir,
  stage: DataDir,
  { verifierKey }: LedgerKey,
  { size, lossNote }: { readonly size: number; readonly lossNote: string | undefined },
): Promise<KeptCheckpoint | undefined> {
  await rejectOtherLedger(dir, verifierKey);
  const store = SqliteLedgerStore.openReadOnly(stage.ledger);
  try {
    await checkHistory(store, await shownIn(dir, verifierKey), verifierKey);
    return undefined;
  } catch (error) {
    if (!(error instanceof HistoryLost)) throw error;
    if (error.shown !== undefined && lossNote !== undefined)
      return await greatestLoss(dir, verifierKey, error.shown, size);
    throw lossRejection(error, dir, size);
  } finally {
    await store.close();
  }
}

/**
 * Returns the greatest loss, including losses that the replaced ledger states in entries which the backup lacks. So a second restore of
 * the same backup does not hide the loss of the first.
 */
async function greatestLoss(
  dir: DataDir,
  verifierKey: string,
  shown: ShownCheckpoint,
  size: number,
): Promise<ShownCheckpoint> {
  const query = { scope: LOSS_SCOPE, startIndex: size, limit: MAX_LOSSES, withContent: true };
  const records = (await readLedger(dir, (store) => store.list(query))) ?? [];
  const stated = records.flatMap(({ content, recordedAtMs }): readonly ShownCheckpoint[] => {
    const checkpoint = checkpointIn(content);
    const opened = openCheckpoint(checkpoint, verifierKey);
    return opened.ok ? [{ size: opened.size, root: opened.root, recordedAtMs, checkpoint }] : [];
  });
  return [shown, ...stated].reduce((greatest, one) => (one.size > greatest.size ? one : greatest));
}

/** Returns the checkpoint in the statement of a loss; empty if it has none. */
function checkpointIn(content: Uint8Array | null): string {
  try {
    const { checkpoint } = JSON.parse(Buffer.from(content ?? []).toString('utf8')) as Readonly<Record<string, unknown>>;
    return typeof checkpoint === 'string' ? checkpoint : '';
  } catch {
    return '';
  }
}

/**
 * Returns the mark of the directory and the head of its ledger, as far as they can be read. The mark may be missing or behind the head.
 */
async function shownIn(dir: DataDir, verifierKey: string): Promise<readonly KeptCheckpoint[]> {
  const kept = MarkFile.read(dir.mark);
  const head = await readLedger(dir, (store) => store.head());
  return head !== undefined && openCheckpoint(head.checkpoint, verifierKey).ok ? [...kept, head] : kept;
}

/**
 * Rejects the backup of another ledger. Compares the key in the directory and the key that its ledger states; an unreadable one is
 * ignored.
 */
async function rejectOtherLedger(dir: DataDir, verifierKey: string): Promise<void> {
  const key = existsSync(dir.ledgerKey) ? await readLedgerKey(dir).catch(() => undefined) : undefined;
  const names = [key?.verifierKey, await readLedger(dir, (store) => store.identity())];
  const other = names.find((name) => name !== undefined && name !== verifierKey);
  if (other === undefined) return;
  const origin = parseVerifierKey(other)?.origin ?? other;
  const message = `${dir.path} is of another ledger (${origin}) than the backup. Nothing was changed.`;
  throw rejection('other_ledger', message, 'Restore the backup into a directory of its own.');
}

/** Reads the existing ledger. Returns undefined if there is none or if it is damaged, which may be the reason for the restore. */
async function readLedger<T>(
  dir: DataDir,
  question: (store: SqliteLedgerStore) => Promise<T | undefined>,
): Promise<T | undefined> {
  if (!existsSync(dir.ledger)) return undefined;
  let store: SqliteLedgerStore | undefined;
  try {
    store = SqliteLedgerStore.openReadOnly(dir.ledger, !existsSync(`${dir.ledger}-wal`));
    return await question(store);
  } catch (error) {
    if (error instanceof EctError) return undefined;
    throw error;
  } finally {
    await store?.close();
  }
}

function lossRejection(lost: HistoryLost, dir: DataDir, size: number): Error {
  const { kind, shown } = lost;
  if (shown === undefined) {
    const remedy =
      kind === 'damaged mark'
        ? 'Move ledger.mark away, restore, and run `ect audit --earlier` with a checkpoint that was kept elsewhere.'
        : 'Restore the backup into a directory of its own.';
    return rejection(kind === 'damaged mark' ? 'history_lost' : 'other_ledger', describeLoss(lost, dir), remedy);
  }
  const had = `the ledger in ${dir.path} has shown ${shown.size} entries, the last of ${new Date(shown.recordedAtMs).toISOString()}`;
  const how = kind === 'different' ? 'and they are of another history' : 'so acknowledged entries would be missing';
  return rejection(
    'backup_older',
    `The backup holds ${size} entries, but ${had}, ${how}. Nothing was changed.`,
    'Restore a newer backup. If there is none, repeat with --accept-loss: an entry of the ledger then states what is missing.',
  );
}
