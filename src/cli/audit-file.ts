// Audits the database file of a ledger. The file is only read, also while a service writes to it: entries that are recorded after the
// start belong to the next audit.

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
import { LedgerExaminer } from '../stores/sqlite/index.ts';
import { nodeChecks, readNode } from './audit-nodes.ts';
import { documentFaults } from './audit-provenance.ts';
import type { AuditSource } from './audit-source.ts';
import { demandRest, type LedgerFile, readIdentity } from './ledger-file.ts';

const MARK_NAME = 'ledger.mark';

/** Prepares the audit of an open file. */
export async function auditFile(file: LedgerFile, from: AuditEnd): Promise<AuditSource> {
  const { store, path } = file;
  const ownKey = await readIdentity(store, path);
  const faults: AuditFault[] = [];
  // Read the mark before the head: a running service may write in between, and the mark must never be ahead of the head.
  const highWater = readMark(join(dirname(path), MARK_NAME), ownKey, faults);
  const head = await store.head();
  const records = readRecords(file, from, head?.size ?? 0, ownKey, faults);
  const source = {
    checkpoint: head?.checkpoint ?? '',
    ownKey,
    records,
    faults,
    keySet: undefined,
    documents: store,
    demandSameState: () => demandRest(file),
  };
  if (highWater === undefined) return source;
  return { ...source, highWater, damagedMarkPages: MarkFile.damagedPages(join(dirname(path), MARK_NAME)) };
}

/** Reads the mark beside the file. Returns undefined if there is none: a copy of a ledger need not include its mark. */
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
  { store, path, isAtRest }: LedgerFile,
  from: AuditEnd,
  size: number,
  ownKey: string,
  faults: AuditFault[],
): AsyncGenerator<LedgerRecord> {
  const checkNodes = nodeChecks((place) => readNode(store, place), from, faults);
  // Examines what the leaves and the root do not cover: the indexes, the head, the schema and the pages of the file.
  const examiner = LedgerExaminer.open(path, isAtRest);
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
