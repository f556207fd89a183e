// Whether the ledger of a backup may take the place of what a data directory holds: it is the same ledger, and lacks nothing that
// was shown of it.

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

/** Each is stated by hand, once. */
const MAX_LOSSES = 1_000;

/**
 * Holds the ledger of the backup against what this directory has shown. Returns the newest checkpoint that it does not hold, where
 * that is accepted; undefined where nothing is missing.
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
 * What is lost, with what the ledger that is replaced states to have lost itself, in entries that the backup lacks: to restore the same
 * backup twice must not make the loss of the first time forgotten.
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

/** The checkpoint that the statement of a loss holds; empty where it holds none. */
function checkpointIn(content: Uint8Array | null): string {
  try {
    const { checkpoint } = JSON.parse(Buffer.from(content ?? []).toString('utf8')) as Readonly<Record<string, unknown>>;
    return typeof checkpoint === 'string' ? checkpoint : '';
  } catch {
    return '';
  }
}

/** The mark of the directory, and the head of its ledger as far as that can be read: the mark may be missing, or behind. */
async function shownIn(dir: DataDir, verifierKey: string): Promise<readonly KeptCheckpoint[]> {
  const kept = MarkFile.read(dir.mark);
  const head = await readLedger(dir, (store) => store.head());
  return head !== undefined && openCheckpoint(head.checkpoint, verifierKey).ok ? [...kept, head] : kept;
}

/** The key beside the files that are there, and the one that the ledger itself names. One that cannot be read says nothing. */
async function rejectOtherLedger(dir: DataDir, verifierKey: string): Promise<void> {
  const key = existsSync(dir.ledgerKey) ? await readLedgerKey(dir).catch(() => undefined) : undefined;
  const names = [key?.verifierKey, await readLedger(dir, (store) => store.identity())];
  const other = names.find((name) => name !== undefined && name !== verifierKey);
  if (other === undefined) return;
  const origin = parseVerifierKey(other)?.origin ?? other;
  const message = `${dir.path} is of another ledger (${origin}) than the backup. Nothing was changed.`;
  throw rejection('other_ledger', message, 'Restore the backup into a directory of its own.');
}

/** Undefined where no ledger is there. What is damaged says nothing: that may be why a backup is restored. */
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
