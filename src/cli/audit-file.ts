// An audit of a ledger's database file. The file is only read, also while a service writes it: entries that come in
// after the start are left for the next audit.

import { dirname, join } from 'node:path';
import { recordFault } from '../authority/index.ts';
import { fileFault } from '../files/system-faults.ts';
import {
  type AuditEnd,
  type AuditFault,
  HistoryLost,
  type LedgerRecord,
  openMark,
  type ShownCheckpoint,
  walkRecords,
} from '../ledger/index.ts';
import { MarkFile } from '../stores/mark-file.ts';
import { LedgerExaminer, type SqliteLedgerStore } from '../stores/sqlite/index.ts';
import { nodeChecks, readNode } from './audit-nodes.ts';
import { documentFaults } from './audit-provenance.ts';
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
  const source = { checkpoint: head?.checkpoint ?? '', ownKey, records, faults, keySet: undefined, documents: store };
  if (highWater === undefined) return source;
  return { ...source, highWater, damagedMarkPages: MarkFile.damagedPages(join(dirname(path), MARK_NAME)) };
}

/** The mark beside the file. Undefined where there is none: who copies a ledger need not copy its mark. */
function readMark(path: string, verifierKey: string, faults: AuditFault[]): ShownCheckpoint | undefined {
  try {
    return openMark(MarkFile.read(path), verifierKey)[0];
  } catch (error) {
    const why = error instanceof HistoryLost ? error.kind : fileFault(path, error);
    faults.push({ index: null, fault: `${MARK_NAME} beside it says nothing (${why})` });
    return undefined;
  }
}

async function* readRecords(
  store: SqliteLedgerStore,
  path: string,
  from: AuditEnd,
  size: number,
  ownKey: string,
  faults: AuditFault[],
): AsyncGenerator<LedgerRecord> {
  const checkNodes = nodeChecks((place) => readNode(store, place), from, faults);
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
    faults.push(...(await examiner.wholeFaults(size, ownKey)), ...(await documentFaults(store)));
  } finally {
    examiner.close();
  }
}
