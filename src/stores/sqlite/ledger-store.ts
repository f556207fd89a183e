// A ledger in one SQLite file. Several processes may share the file: the head is read under the write lock.

import { nextSlice, throwIfEnded } from '../../concurrency/yielder.ts';
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
import { corrupt, documentOf, HASH_BYTES, hashOf, type Row } from '../ledger-rows.ts';
import { rejectManyNames } from '../lookup-limit.ts';
import { sequence } from '../sequence.ts';
import { LEDGER } from '../store-reasons.ts';
import { completingLeaf, hashesByLeaf } from '../tree-layout.ts';
import type { SqliteDatabase } from './database.ts';
import { LEDGER_LAYOUT } from './ledger-layout.ts';
import { headOf, recordOf } from './ledger-rows.ts';
import { listKey, prepareStatements } from './ledger-statements.ts';
import { openDatabase, openReadOnlyDatabase } from './open-database.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';

/** How many rows and hashes are read before other calls are served. */
const ROWS_PER_SLICE = 1_000;
/** How many rows are listed before other calls are served: a fraction of a millisecond. */
const LISTED_PER_SLICE = 100;
const NODES_PER_SLICE = 500;
/** No entry has a higher index. */
const LAST = Number.MAX_SAFE_INTEGER;

/** Durable: nothing is returned that a crash of the machine could revert. The event loop continues while the disk writes. */
export class SqliteLedgerStore implements LedgerStore, DocumentStore {
  readonly #database: SqliteDatabase;
  readonly #statements: ReturnType<typeof prepareStatements>;
  /** The number of entries known to be durable. The file may have more, which another process is committing. */
  #durableSize = -1;

  /** Owns `database`, which is closed with the store. LEDGER_CORRUPT if the parts do not fit. */
  constructor(database: SqliteDatabase) {
    this.#database = database;
    try {
      this.#statements = database.read(() => prepareStatements(database));
      database.snapshot(() => this.#rejectTornParts());
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Opens the ledger at `path`, and creates the file if it does not exist. */
  static open(path: string, watch?: StorageWatch): SqliteLedgerStore {
    return new SqliteLedgerStore(openDatabase(path, LEDGER_LAYOUT, LEDGER, watch));
  }

  /**
   * Opens the ledger at `path` for reading, also while a service writes it. Every write is rejected. `isAtRest`: no process has it open
   * for writing, so no file is created beside it.
   */
  static openReadOnly(path: string, isAtRest = false): SqliteLedgerStore {
    return new SqliteLedgerStore(openReadOnlyDatabase(path, LEDGER_LAYOUT, LEDGER, isAtRest));
  }

  async head(): Promise<Head | undefined> {
    const head = this.#database.read(() => this.#readHead());
    return this.#shown(head, head?.size ?? -1);
  }

  async initialise(head: Head, identity: string): Promise<void> {
    if (head.size !== 0) throw new TypeError('The first head has size 0.');
    await this.#database.writeDurably(() => {
      if (this.#readHead() !== undefined) throw corrupt('The ledger was initialised before.');
      this.#statements.insertHead.run(0, new Uint8Array(0), head.recordedAtMs, head.checkpoint);
      this.#statements.insertIdentity.run(identity);
    });
  }

  async identity(): Promise<string | undefined> {
    const row = this.#database.read(() => this.#statements.identity.get());
    return row === undefined ? undefined : String(row['verifier_key']);
  }

  async commit(candidates: readonly Candidate[], seal: Seal): Promise<CommitResult> {
    const result = await this.#database.writeDurably(() => {
      const head = this.#readHead();
      if (head === undefined) throw corrupt('The ledger was never initialised.');
      const existing = candidates.map(({ scope, name }) => recordIn(this.#statements.find.get(name, scope)));
      const result = sequence(head, candidates, existing, seal);
      if (result.batch !== undefined) this.#insert(result.batch);
      return result;
    });
    this.#isDurable(result.head.size);
    return result;
  }

  async at(index: number): Promise<LedgerRecord | undefined> {
    if (!Number.isSafeInteger(index)) return undefined;
    const record = this.#database.read(() => {
      const row = this.#statements.at.get(index);
      if (row !== undefined) return recordOf(row);
      // Beyond the end, or lost. The size is read first, because another process may have just added the entry.
      const size = this.#readHead()?.size ?? 0;
      const added = this.#statements.at.get(index);
      if (added === undefined && index >= 0 && index < size) throw corrupt(`The ledger has no entry ${index}.`);
      return recordIn(added);
    });
    return this.#shown(record, sizeWith(record));
  }

  async find(scope: string, name: string): Promise<LedgerRecord | undefined> {
    const record = this.#database.read(() => recordIn(this.#statements.find.get(name, scope)));
    return this.#shown(record, sizeWith(record));
  }

  async lookUp(scope: string, names: readonly string[], reach: Reach): Promise<readonly (LedgerRecord | undefined)[]> {
    rejectManyNames(names);
    const { bare, elsewhere } = this.#statements;
    const nearest = (name: string): Row | undefined => {
      const own = bare.get(name, scope);
      if (own !== undefined || reach === 'scope') return own;
      return (scope === '' ? undefined : bare.get(name, '')) ?? elsewhere.get(name);
    };
    const records = this.#database.read(() => names.map((name) => recordIn(nearest(name))));
    return this.#shown(records, Math.max(0, ...records.map(sizeWith)));
  }

  async list(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> {
    const { scope, author, fromMs, beforeMs, startIndex, endIndex, limit, withContent, newestFirst = false } = query;
    const key = listKey(scope !== undefined, author !== undefined, withContent, newestFirst);
    const statement = this.#statements.lists[key]!;
    const filters = [scope, author].filter((value) => value !== undefined);
    let [next, before] = this.#database.read(() => [
      Math.max(startIndex, fromMs === undefined ? 0 : this.#firstIndexSince(fromMs)),
      Math.min(endIndex ?? LAST, beforeMs === undefined ? LAST : this.#firstIndexSince(beforeMs)),
    ]);
    const records: LedgerRecord[] = [];
    while (next < before && records.length < limit) {
      // With one filter only matching rows are read. With two, the rows of the scope are examined.
      const part = filters.length < 2 ? undefined : this.#scanFrom(scope!, next, before, newestFirst);
      const [from, end] = part ?? [next, before];
      const most = Math.min(limit - records.length, LISTED_PER_SLICE);
      const rows = this.#database.read(() => statement.all(from, end, ...filters, most).map(recordOf));
      records.push(...rows);
      const last = rows.length === most ? rows.at(-1)!.index : undefined;
      if (newestFirst) before = last ?? from;
      else next = last === undefined ? end : last + 1;
      if (next < before && records.length < limit) await nextSlice();
      throwIfEnded(signal);
    }
    return this.#shown(records, sizeWith(newestFirst ? records[0] : records.at(-1)));
  }

  async nodes(wanted: readonly { readonly level: number; readonly index: number }[]): Promise<readonly Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    for (let start = 0; start < wanted.length; start += NODES_PER_SLICE) {
      if (start > 0) await nextSlice();
      const part = wanted.slice(start, start + NODES_PER_SLICE);
      const read = (place: (typeof part)[number]) =>
        hashOf(this.#statements.node.get(place.level * HASH_BYTES + 1, completingLeaf(place)));
      hashes.push(...this.#database.read(() => part.map(read)));
    }
    return hashes;
  }

  async keepDocument({ digest, content }: LedgerDocument): Promise<void> {
    await this.#database.writeDurably(() => this.#statements.insertDocument!.run(digest, content));
  }

  async document(digest: string): Promise<LedgerDocument | undefined> {
    const row = this.#database.read(() => this.#statements.document?.get(digest));
    return row === undefined ? undefined : documentOf(row);
  }

  async documents(): Promise<readonly string[]> {
    const rows = this.#database.read(() => this.#statements.documents?.all() ?? []);
    return rows.map(({ digest }) => String(digest));
  }

  /** The name of a file of the ledger that was deleted or replaced since it was opened; undefined where none was. */
  replacedFile(): string | undefined {
    return this.#database.replacedFile();
  }

  /** Whether the file can be written. */
  get writes(): WritableStore {
    return this.#database;
  }

  async close(): Promise<void> {
    await this.#database.end();
  }

  /** Returns the result of a read after the tree of `size` entries is durable. */
  async #shown<T>(read: T, size: number): Promise<T> {
    if (size > this.#durableSize) {
      await this.#database.sync();
      this.#isDurable(size);
    }
    return read;
  }

  #isDurable(size: number): void {
    this.#durableSize = Math.max(this.#durableSize, size);
  }

  #readHead(): Head | undefined {
    const row = this.#statements.head.get();
    return row === undefined ? undefined : headOf(row);
  }

  #insert({ records, nodes, head }: SealedBatch): void {
    const hashes = hashesByLeaf(nodes);
    for (const [place, record] of records.entries()) {
      const { index, scope, name, author, recordedAtMs, digest, leaf, salt, content, provenance } = record;
      const own = Buffer.concat(hashes[place]!);
      const written = [index, scope, name, author, recordedAtMs, digest, leaf, own, salt, content, provenance] as const;
      this.#statements.insertEntry!.run(...written);
    }
    this.#statements.updateHead.run(head.size, Buffer.concat(head.frontier), head.recordedAtMs, head.checkpoint);
  }

  /** Times never decrease from one entry to the next, so this is a binary search for the first entry not before `timeMs`. */
  #firstIndexSince(timeMs: number): number {
    let [low, high] = [0, this.#readHead()?.size ?? 0];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = this.#statements.recordedAt.get(middle);
      if (row === undefined) throw corrupt(`The ledger has no entry ${middle}.`);
      if (Number(row['recorded_at']) < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The part from `from` to `before`, from its first side, in which a limited number of entries of the scope is examined. */
  #scanFrom(scope: string, from: number, before: number, newestFirst: boolean): readonly [from: number, end: number] {
    const { endOfScan, startOfScan } = this.#statements;
    const row = this.#database.read(() =>
      newestFirst ? startOfScan.get(scope, before, ROWS_PER_SLICE) : endOfScan.get(scope, from, ROWS_PER_SLICE),
    );
    if (row === undefined) return [from, before];
    const idx = Number(row['idx']);
    return newestFirst ? [Math.max(from, idx + 1), before] : [from, Math.min(before, idx)];
  }

  /** A quick check that the parts of the file are of the same moment; `ect audit` finds all other damage. */
  #rejectTornParts(): void {
    const size = this.#readHead()?.size ?? 0;
    if (this.#statements.end.get()?.['entries'] !== size) {
      throw corrupt('The head and the entries of the ledger do not fit together.');
    }
  }
}

/** The size of the smallest tree with the record. */
function sizeWith(record: LedgerRecord | undefined): number {
  return record === undefined ? 0 : record.index + 1;
}

function recordIn(row: Row | undefined): LedgerRecord | undefined {
  return row === undefined ? undefined : recordOf(row);
}
