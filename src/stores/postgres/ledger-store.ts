// A ledger in PostgreSQL, which any number of processes share. The row of the head is the lock for appends, and the statement that
// inserts the entries also compares and sets the head.

import { throwIfEnded } from '../../concurrency/yielder.ts';
import type {
  Candidate,
  CommitResult,
  DocumentStore,
  Head,
  LedgerDocument,
  LedgerRecord,
  LedgerStore,
  Reach,
  RecordQuery,
  Seal,
  SealedBatch,
} from '../../ledger/index.ts';
import { corrupt, documentOf, hashOf, type Row, text } from '../ledger-rows.ts';
import { rejectManyNames } from '../lookup-limit.ts';
import { sequence } from '../sequence.ts';
import { LEDGER } from '../store-reasons.ts';
import type { DatabaseUse, PostgresDatabase, Session, Statement } from './database.ts';
import { HeadMoved, isServerAnswer, OutcomeUnknown } from './failures.ts';
import { headOf, recordOf, wholeNumber } from './ledger-rows.ts';
import {
  BEGIN,
  COMMIT,
  endOfScan,
  extend,
  findAll,
  firstIndexSince,
  insertDocument,
  insertHead,
  list,
  listDocuments,
  lockHead,
  nearest,
  readDocument,
  readEntry,
  readHead,
  readIdentity,
  readNodes,
} from './ledger-statements.ts';
import { write } from './own-commits.ts';

/** How many rows the database examines before it is checked whether the caller has disconnected. */
const ROWS_PER_SCAN = 2_000;
/** No entry has a higher index. */
const LAST = Number.MAX_SAFE_INTEGER;
const NODES_PER_READ = 500;

/**
 * As durable as the database: COMMIT returns when its write-ahead log is on the disk, and on a synchronous standby if there is one.
 * Nobody can read an entry before that.
 */
export class PostgresLedgerStore implements LedgerStore, DocumentStore {
  readonly #use: DatabaseUse;
  readonly #ledger: string;
  /** Commits of one process run one after another. In parallel they would wait for the same row, each with a connection. */
  #last: Promise<unknown> = Promise.resolve();

  /** Opens the ledger of this name in the database, which must stay open as long as the store. */
  constructor(database: PostgresDatabase, ledger = 'main') {
    this.#use = database.use(LEDGER);
    this.#ledger = ledger;
  }

  async head(): Promise<Head | undefined> {
    const { rows } = await this.#use.read(readHead(this.#ledger));
    return rows[0] === undefined ? undefined : headOf(rows[0]);
  }

  async initialise(head: Head, identity: string): Promise<void> {
    if (head.size !== 0) throw new TypeError('The first head has size 0.');
    const { rowCount } = await this.#use.read(insertHead(this.#ledger, head, identity));
    if (rowCount !== 1) throw corrupt('The ledger was initialised before.');
  }

  async identity(): Promise<string | undefined> {
    const { rows } = await this.#use.read(readIdentity(this.#ledger));
    return rows[0] === undefined ? undefined : text(rows[0], 'verifier_key');
  }

  commit(candidates: readonly Candidate[], seal: Seal): Promise<CommitResult> {
    const committed = this.#last.then(() =>
      this.#use.repeatedly((session) => this.#commitIn(session, candidates, seal)),
    );
    this.#last = committed.catch(() => undefined);
    return committed;
  }

  async at(index: number): Promise<LedgerRecord | undefined> {
    if (!Number.isSafeInteger(index)) return undefined;
    const { rows } = await this.#use.read(readEntry(this.#ledger, index));
    const row: Row = rows[0] ?? {};
    if (row['idx'] !== null) return recordOf(row);
    const size = row['size'] === null ? 0 : wholeNumber(row, 'size');
    if (index >= 0 && index < size) throw corrupt(`The ledger has no entry ${index}.`);
    return undefined;
  }

  async find(scope: string, name: string): Promise<LedgerRecord | undefined> {
    const [record] = await this.#placed(findAll(this.#ledger, [{ scope, name }]), 1);
    return record;
  }

  async lookUp(scope: string, names: readonly string[], reach: Reach): Promise<readonly (LedgerRecord | undefined)[]> {
    rejectManyNames(names);
    if (reach === 'nearest') return this.#placed(nearest(this.#ledger, scope, names), names.length);
    const found = await this.#placed(
      findAll(
        this.#ledger,
        names.map((name) => ({ scope, name })),
      ),
      names.length,
    );
    return found.map((record) => record && { ...record, salt: null, content: null, provenance: null });
  }

  async list(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> {
    const { scope, author, fromMs, beforeMs, startIndex, endIndex, limit, withContent, newestFirst = false } = query;
    let next = Math.max(startIndex, fromMs === undefined ? 0 : await this.#firstIndexSince(fromMs));
    let before = Math.min(endIndex ?? LAST, beforeMs === undefined ? LAST : await this.#firstIndexSince(beforeMs));
    const records: LedgerRecord[] = [];
    while (next < before && records.length < limit) {
      throwIfEnded(signal);
      // With one filter only the matching rows are read. With two, all rows of the scope are examined.
      const isScan = scope !== undefined && author !== undefined;
      const part = isScan ? await this.#scanFrom(scope, next, before, newestFirst) : undefined;
      const [from, end] = part ?? [next, before];
      const wanted = { from, before: end, scope, author, limit: limit - records.length, withContent, newestFirst };
      const { rows } = await this.#use.read(list(this.#ledger, wanted));
      records.push(...rows.map(recordOf));
      if (newestFirst) before = from;
      else next = end;
    }
    throwIfEnded(signal);
    return records;
  }

  async nodes(wanted: readonly { readonly level: number; readonly index: number }[]): Promise<readonly Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    // A closed store also rejects an empty request.
    for (let start = 0; start < wanted.length; start += NODES_PER_READ) {
      const part = wanted.slice(start, start + NODES_PER_READ);
      const { rows } = await this.#use.read(readNodes(this.#ledger, part));
      hashes.push(...part.map((_, place) => hashOf(rows[place])));
    }
    return hashes;
  }

  async keepDocument(document: LedgerDocument): Promise<void> {
    await this.#use.repeatedly((session) => write(session, insertDocument(this.#ledger, document)));
  }

  async document(digest: string): Promise<LedgerDocument | undefined> {
    const { rows } = await this.#use.read(readDocument(this.#ledger, digest));
    return rows[0] === undefined ? undefined : documentOf(rows[0]);
  }

  async documents(): Promise<readonly string[]> {
    const { rows } = await this.#use.read(listDocuments(this.#ledger));
    return rows.map((row) => text(row, 'digest'));
  }

  /** Waits for the commit in progress. The database stays open. */
  async close(): Promise<void> {
    const last = this.#last;
    this.#use.close();
    await last;
  }

  /** Two round trips: the first locks and reads the head and looks up names; the second inserts the entries and ends the transaction. */
  async #commitIn(session: Session, candidates: readonly Candidate[], seal: Seal): Promise<CommitResult> {
    const [, locked, found] = await session.all(BEGIN, lockHead(this.#ledger), findAll(this.#ledger, candidates));
    const row = locked?.rows[0];
    if (row === undefined) throw corrupt('The ledger was never initialised.');
    const head = headOf(row);
    const existing = inPlaces(found?.rows ?? [], candidates.length);
    const result = sequence(head, candidates, existing, seal);
    if (result.batch === undefined) await this.#confirm(session);
    else await this.#write(session, head.size, result.batch);
    // The commit point: from here on the entries are durable.
    return result;
  }

  /**
   * Existing entries are reported like inserted ones, so they must be as durable. A commit whose wait for the standby was interrupted is
   * visible, and would be lost in a failover. The lock of the head is in the write-ahead log, so the end of this transaction waits too.
   */
  async #confirm(session: Session): Promise<void> {
    await session.all(COMMIT);
    if (session.hasWarning) throw new OutcomeUnknown('the server has warned of the commit');
  }

  async #write(session: Session, oldSize: number, batch: SealedBatch): Promise<void> {
    const [written, committed] = await session.settled(extend(this.#ledger, oldSize, batch), COMMIT);
    // After a rejected statement the transaction is rolled back, whatever COMMIT returns.
    if (written?.status === 'rejected' && isServerAnswer(written.reason)) throw written.reason;
    if (written?.status !== 'fulfilled' || committed?.status !== 'fulfilled') {
      const rejected = [written, committed].find((answer) => answer?.status === 'rejected');
      throw new OutcomeUnknown('the connection ended', { cause: rejected?.reason });
    }
    // "canceling wait for synchronous replication": committed here, but possibly not on a standby after a failover.
    if (session.hasWarning) throw new OutcomeUnknown('the server has warned of the commit');
    if (committed.value.command !== 'COMMIT') throw new HeadMoved('the transaction was undone');
    if (written.value.rowCount === 0) throw new HeadMoved('another sequencer was first');
  }

  async #placed(statement: Statement, count: number): Promise<readonly (LedgerRecord | undefined)[]> {
    const { rows } = await this.#use.read(statement);
    return inPlaces(rows, count);
  }

  async #firstIndexSince(timeMs: number): Promise<number> {
    const { rows } = await this.#use.read(firstIndexSince(this.#ledger, timeMs));
    if (rows[0] !== undefined) return wholeNumber(rows[0], 'idx');
    if ((await this.head()) === undefined) return 0;
    throw corrupt('The ledger lacks an entry.');
  }

  /** Returns the first part of the range, in the listing direction, in which a bounded number of entries of the scope is examined. */
  async #scanFrom(
    scope: string,
    from: number,
    before: number,
    newestFirst: boolean,
  ): Promise<readonly [from: number, end: number]> {
    const side = newestFirst ? { before } : { from };
    const { rows } = await this.#use.read(endOfScan(this.#ledger, scope, side, ROWS_PER_SCAN));
    if (rows[0] === undefined) return [from, before];
    const idx = wholeNumber(rows[0], 'idx');
    return newestFirst ? [Math.max(from, idx + 1), before] : [from, Math.min(before, idx)];
  }
}

/** Returns the records by the `place` of each row, which is counted from 1. */
function inPlaces(rows: readonly Row[], count: number): readonly (LedgerRecord | undefined)[] {
  const records: (LedgerRecord | undefined)[] = Array.from({ length: count }, () => undefined);
  for (const row of rows) records[wholeNumber(row, 'place') - 1] = recordOf(row);
  return records;
}
