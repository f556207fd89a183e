// Audits a ledger in a PostgreSQL database, also while replicas write to it: entries that are recorded after the start belong to the next
// audit. The audit reads as any client of the database does, and trusts none of its tables.

import { recordFault } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import {
  type AuditEnd,
  type AuditFault,
  type DocumentStore,
  type LedgerRecord,
  type LedgerStore,
  walkRecords,
} from '../ledger/index.ts';
import { type NodePlace, nodeChecks, placesOf, readNode } from './audit-nodes.ts';
import { documentFaults } from './audit-provenance.ts';
import type { AuditSource } from './audit-source.ts';
import { Rejected } from './exit.ts';

/** An open database with a ledger. */
export interface LedgerDatabase {
  readonly store: LedgerStore & DocumentStore;
  /** Checks what leaves and root do not cover. */
  readonly examiner: {
    /** Returns a fault for each of these entries that an index of the database does not find. */
    indexFaults(records: readonly LedgerRecord[]): Promise<readonly AuditFault[]>;
    /** Returns the faults of the head, of rows beyond the head, and of the objects that protect the tables. */
    wholeFaults(verifierKey: string): Promise<readonly AuditFault[]>;
  };
  close(): Promise<void>;
}

/** How to open the database. It is a parameter, because only the process itself reads settings. */
export interface LedgerDatabases {
  /** Whether ECT_POSTGRES_URL is set. */
  readonly isNamed: boolean;
  /** Opens the database at `url`, or at ECT_POSTGRES_URL if it is undefined. */
  open(url: string | undefined): Promise<LedgerDatabase>;
}

const PAGE_ENTRIES = 500;

/** Prepares the audit of an open database. */
export async function auditDatabase(database: LedgerDatabase, from: AuditEnd): Promise<AuditSource> {
  const { store } = database;
  const ownKey = await store.identity();
  const head = await store.head();
  if (ownKey === undefined || head === undefined) {
    throw new Rejected({
      reason: 'ledger_empty',
      message: 'the database holds no ledger yet',
      remedy: 'Name the database of replicas of which one has been started once.',
      metadata: {},
    });
  }
  const faults: AuditFault[] = [];
  const records = readRecords(database, from, head.size, ownKey, faults);
  return { checkpoint: head.checkpoint, ownKey, records, faults, keySet: undefined, documents: store };
}

async function* readRecords(
  { store, examiner }: LedgerDatabase,
  from: AuditEnd,
  size: number,
  ownKey: string,
  faults: AuditFault[],
): AsyncGenerator<LedgerRecord> {
  let stored = new Map<string, Uint8Array>();
  const read = (place: NodePlace) => {
    const hash = stored.get(nameOf(place));
    return hash === undefined ? readNode(store, place) : Promise.resolve(hash);
  };
  const checkNodes = nodeChecks(read, from, faults);
  for await (const page of pagesOf(walkRecords(store, { fromIndex: from.size, size, withContent: true }))) {
    stored = await readNodes(
      store,
      page.flatMap(({ index }) => placesOf(index)),
    );
    faults.push(...(await examiner.indexFaults(page)));
    for (const record of page) {
      const fault = recordFault(record);
      if (fault !== undefined) faults.push({ index: record.index, fault });
      await checkNodes(record);
      yield record;
    }
  }
  faults.push(...(await examiner.wholeFaults(ownKey)), ...(await documentFaults(store)));
}

async function* pagesOf(records: AsyncIterable<LedgerRecord>): AsyncGenerator<readonly LedgerRecord[]> {
  let page: LedgerRecord[] = [];
  for await (const record of records) {
    page.push(record);
    if (page.length < PAGE_ENTRIES) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** Reads the nodes in one query. If one of them is damaged it returns none, so that each is then read by itself. */
async function readNodes(store: LedgerStore, places: readonly NodePlace[]): Promise<Map<string, Uint8Array>> {
  try {
    const hashes = await store.nodes(places);
    return new Map(hashes.map((hash, at) => [nameOf(places[at]!), hash]));
  } catch (error) {
    if (error instanceof EctError && error.reason === 'LEDGER_CORRUPT') return new Map();
    throw error;
  }
}

function nameOf({ level, index }: NodePlace): string {
  return `${level}/${index}`;
}
