// An audit of a ledger's database file. The file is only read, also while a service writes it: entries that come in
// after the start are left for the next audit.

import { dirname, join } from 'node:path';
import { recordFault } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import {
  type AuditEnd,
  type AuditFault,
  HistoryLost,
  type LedgerRecord,
  type LedgerStore,
  leafHash,
  nodeHash,
  openMark,
  type ShownCheckpoint,
  walkRecords,
} from '../ledger/index.ts';
import { MarkFile } from '../stores/mark-file.ts';
import { LedgerExaminer, type SqliteLedgerStore } from '../stores/sqlite/index.ts';
import type { AuditSource } from './audit-source.ts';
import { readIdentity } from './ledger-file.ts';

const MARK_NAME = 'ledger.mark';

/** Prepares the audit of an open file at `path`. */
export async function auditFile(store: SqliteLedgerStore, path: string, from: AuditEnd): Promise<AuditSource> {
  const ownKey = await readIdentity(store, path);
  const faults: AuditFault[] = [];
  // Before the head: a service that is running may go on, and its mark is never ahead.
  const highWater = readMark(join(dirname(path), MARK_NAME), ownKey, faults);
  const head = await store.head();
  const records = readRecords(store, path, from, head?.size ?? 0, ownKey, faults);
  const source = { checkpoint: head?.checkpoint ?? '', ownKey, records, faults, keySet: undefined };
  return highWater === undefined ? source : { ...source, highWater };
}

/** The mark beside the file. Undefined where there is none: who copies a ledger need not copy its mark. */
function readMark(path: string, verifierKey: string, faults: AuditFault[]): ShownCheckpoint | undefined {
  try {
    return openMark(MarkFile.read(path), verifierKey)[0];
  } catch (error) {
    if (!(error instanceof HistoryLost)) return undefined;
    faults.push({ index: null, fault: `${MARK_NAME} beside it says nothing (${error.kind})` });
    return undefined;
  }
}

async function* readRecords(
  store: LedgerStore,
  path: string,
  from: AuditEnd,
  size: number,
  ownKey: string,
  faults: AuditFault[],
): AsyncGenerator<LedgerRecord> {
  const checkNodes = nodeChecks(store, from, faults);
  // What the leaves and the root do not cover: the indexes that entries are found by, the head, the schema, the pages.
  const examiner = LedgerExaminer.open(path);
  try {
    for await (const record of walkRecords(store, { fromIndex: from.size, size, withContent: true })) {
      const fault = recordFault(record);
      if (fault !== undefined) faults.push({ index: record.index, fault });
      const unfound = examiner.indexFault(record.index);
      if (unfound !== undefined) faults.push(unfound);
      await checkNodes(record);
      yield record;
    }
    faults.push(...(await examiner.wholeFaults(size, ownKey)));
  } finally {
    examiner.close();
  }
}

/**
 * Compares the stored nodes of the tree with what follows from the leaves. Each node is held against its stored children,
 * so that a damaged leaf or node is named by itself and does not accuse everything above it.
 */
function nodeChecks(
  store: LedgerStore,
  { size, frontier }: AuditEnd,
  faults: AuditFault[],
): (record: LedgerRecord) => Promise<void> {
  /** By level: the left child that waits for its sibling, at first those that an earlier audit has left. */
  const left: Uint8Array[] = [];
  let level = 0;
  for (const hash of frontier.toReversed()) {
    // The widths of the perfect subtrees are the binary digits of the size, so the smallest comes first here.
    while (Math.floor(size / 2 ** level) % 2 === 0) level++;
    left[level++] = hash;
  }
  return async ({ index, leaf }) => {
    let [level, at, expected] = [0, index, leafHash(leaf)];
    for (;;) {
      const stored = await readNode(store, level, at);
      if (stored === undefined || Buffer.compare(stored, expected) !== 0) {
        if (level === 0) faults.push({ index, fault: 'its leaf is not the one that the tree was built from' });
        else faults.push({ index: null, fault: `node ${at} of level ${level} does not follow from what is below it` });
      }
      const hash = stored ?? expected;
      if (at % 2 === 0) {
        left[level] = hash;
        return;
      }
      [level, at, expected] = [level + 1, (at - 1) / 2, nodeHash(left[level] ?? hash, hash)];
    }
  };
}

async function readNode(store: LedgerStore, level: number, index: number): Promise<Uint8Array | undefined> {
  try {
    return (await store.nodes([{ level, index }]))[0];
  } catch (error) {
    if (error instanceof EctError && error.reason === 'LEDGER_CORRUPT') return undefined;
    throw error;
  }
}
