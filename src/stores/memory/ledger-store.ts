// A ledger in memory, for tests and trials. It lives as long as the process: nothing here survives a crash.

import { createYielder } from '../../concurrency/yielder.ts';
import { EctError, reject } from '../../errors.ts';
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
import { rejectManyNames } from '../lookup-limit.ts';
import { sequence } from '../sequence.ts';
import { completingLeaf, hashesByLeaf } from '../tree-layout.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** Stores everything, including contents, in the memory of this process. A commit is one synchronous step. */
export class MemoryLedgerStore implements LedgerStore, DocumentStore {
  #head: Head | undefined;
  #identity: string | undefined;
  #closed = false;
  readonly #records: LedgerRecord[] = [];
  /** By the leaf that completes them. */
  readonly #hashes: (readonly Uint8Array[])[] = [];
  readonly #byName = new Map<string, Map<string, LedgerRecord>>();
  /** By name, the record with the first scope. */
  readonly #elsewhere = new Map<string, LedgerRecord>();
  readonly #documents = new Map<string, LedgerDocument>();
  readonly #byScope = new Map<string, LedgerRecord[]>();
  readonly #byAuthor = new Map<string, LedgerRecord[]>();

  async head(): Promise<Head | undefined> {
    this.#rejectIfClosed();
    return this.#head;
  }

  async initialise(head: Head, identity: string): Promise<void> {
    this.#rejectIfClosed();
    if (head.size !== 0) throw new TypeError('The first head has size 0.');
    if (this.#head !== undefined) throw corrupt('The ledger was initialised before.');
    this.#head = head;
    this.#identity = identity;
  }

  async identity(): Promise<string | undefined> {
    this.#rejectIfClosed();
    return this.#identity;
  }

  async commit(candidates: readonly Candidate[], seal: Seal): Promise<CommitResult> {
    this.#rejectIfClosed();
    if (this.#head === undefined) throw corrupt('The ledger was never initialised.');
    const existing = candidates.map(({ scope, name }) => this.#byName.get(name)?.get(scope));
    const result = sequence(this.#head, candidates, existing, seal);
    if (result.batch !== undefined) this.#keep(result.batch);
    return result;
  }

  async at(index: number): Promise<LedgerRecord | undefined> {
    this.#rejectIfClosed();
    return this.#records[index];
  }

  async find(scope: string, name: string): Promise<LedgerRecord | undefined> {
    this.#rejectIfClosed();
    return this.#byName.get(name)?.get(scope);
  }

  async lookUp(scope: string, names: readonly string[], reach: Reach): Promise<readonly (LedgerRecord | undefined)[]> {
    this.#rejectIfClosed();
    rejectManyNames(names);
    return names.map((name) => {
      const scopes = this.#byName.get(name);
      const own = scopes?.get(scope);
      const record = reach === 'scope' ? own : (own ?? scopes?.get('') ?? this.#elsewhere.get(name));
      return record && withoutContent(record);
    });
  }

  async list(query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> {
    this.#rejectIfClosed();
    const { scope, author, fromMs = 0, beforeMs = NEVER, startIndex, endIndex = NEVER, limit } = query;
    const among = this.#narrowest(scope, author);
    const listed: LedgerRecord[] = [];
    const first = Math.max(firstAtLeast(among, 'index', startIndex), firstAtLeast(among, 'recordedAtMs', fromMs));
    const end = Math.min(firstAtLeast(among, 'index', endIndex), firstAtLeast(among, 'recordedAtMs', beforeMs));
    const yielder = createYielder(signal && { signal });
    for (let step = 0; step < end - first && listed.length < limit; step++) {
      if (yielder.step()) await yielder.yield();
      const record = among[query.newestFirst === true ? end - 1 - step : first + step]!;
      if (scope !== undefined && record.scope !== scope) continue;
      if (author !== undefined && record.author !== author) continue;
      listed.push(query.withContent ? record : withoutContent(record));
    }
    return listed;
  }

  async nodes(wanted: readonly { readonly level: number; readonly index: number }[]): Promise<readonly Uint8Array[]> {
    this.#rejectIfClosed();
    return wanted.map((place) => {
      const hash = this.#hashes[completingLeaf(place)]?.[place.level];
      if (hash === undefined) throw corrupt(`The tree has no node ${place.index} at level ${place.level}.`);
      return hash;
    });
  }

  async keepDocument({ digest, content }: LedgerDocument): Promise<void> {
    this.#rejectIfClosed();
    if (!this.#documents.has(digest)) this.#documents.set(digest, { digest, content: Uint8Array.from(content) });
  }

  async document(digest: string): Promise<LedgerDocument | undefined> {
    this.#rejectIfClosed();
    return this.#documents.get(digest);
  }

  async documents(): Promise<readonly string[]> {
    this.#rejectIfClosed();
    return [...this.#documents.keys()].sort();
  }

  /** Memory has no files. */
  replacedFile(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #keep(batch: SealedBatch): void {
    for (const record of batch.records.map(ownCopy)) {
      this.#records.push(record);
      gather(this.#byScope, record.scope, record);
      gather(this.#byAuthor, record.author, record);
      const scopes = this.#byName.get(record.name) ?? new Map<string, LedgerRecord>();
      this.#byName.set(record.name, scopes.set(record.scope, record));
      const first = this.#elsewhere.get(record.name);
      const comesFirst = first === undefined || Buffer.compare(Buffer.from(record.scope), Buffer.from(first.scope)) < 0;
      if (record.scope !== '' && comesFirst) this.#elsewhere.set(record.name, record);
    }
    for (const hashes of hashesByLeaf(batch.nodes)) this.#hashes.push(hashes.map((hash) => Uint8Array.from(hash)));
    this.#head = batch.head;
  }

  #narrowest(scope: string | undefined, author: string | undefined): readonly LedgerRecord[] {
    const ofScope = scope === undefined ? this.#records : (this.#byScope.get(scope) ?? []);
    const ofAuthor = author === undefined ? this.#records : (this.#byAuthor.get(author) ?? []);
    return ofScope.length <= ofAuthor.length ? ofScope : ofAuthor;
  }

  #rejectIfClosed(): void {
    if (this.#closed) throw new EctError(reject('LEDGER_UNAVAILABLE', 'The ledger is closed.'));
  }
}

function gather(lists: Map<string, LedgerRecord[]>, key: string, record: LedgerRecord): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [record]);
  else list.push(record);
}

// Both fields never decrease from one record to the next, so this is a binary search.
function firstAtLeast(records: readonly LedgerRecord[], field: 'index' | 'recordedAtMs', least: number): number {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (records[middle]![field] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Bytes of a candidate are often a view of the whole request; the copy frees the request.
function ownCopy(record: LedgerRecord): LedgerRecord {
  return {
    ...record,
    digest: Uint8Array.from(record.digest),
    leaf: Uint8Array.from(record.leaf),
    salt: record.salt && Uint8Array.from(record.salt),
    content: record.content && Uint8Array.from(record.content),
    provenance: record.provenance && Uint8Array.from(record.provenance),
  };
}

function withoutContent(record: LedgerRecord): LedgerRecord {
  return { ...record, content: null, salt: null, provenance: null };
}

function corrupt(message: string): EctError {
  return new EctError(reject('LEDGER_CORRUPT', message));
}
