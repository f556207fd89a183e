// The state of an audit: the names of the entries that it has read, the announced keys, and where it stopped. The state is in an SQLite
// file, so an audit of any size runs in constant memory. The file is temporary, or belongs to the auditor, and then the next audit
// continues from it.

import { createHash } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { LedgerRecord } from '../ledger/index.ts';
import { WrongUsage } from './exit.ts';

/** Where an audit without faults stopped. */
export interface AuditPlace {
  readonly verifierKey: string;
  readonly size: number;
  /** The hashes of the perfect subtrees in base64, largest first. */
  readonly frontier: readonly string[];
  readonly recordedAtMs: number;
  /** Counts of all entries so far. */
  readonly erased: number;
  readonly usesBefore: number;
}

/** SQLite's `application_id`: "ECTa". */
const APPLICATION_ID = 0x45435461;
const NAME_BYTES = 16;
const CACHE_KIB = 8 * 1024;

const SCHEMA = `
  CREATE TABLE names (name BLOB PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE keys (idx INTEGER PRIMARY KEY, record TEXT NOT NULL);
  CREATE TABLE place (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT NOT NULL);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = 1;`;

export class AuditState {
  readonly #database: DatabaseSync;
  readonly #addName: StatementSync;
  readonly #addKey: StatementSync;
  /** Where the previous audit stopped; undefined for the first one. */
  readonly place: AuditPlace | undefined;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    // The transaction is committed only if the audit finds no fault.
    database.exec(`PRAGMA cache_size = -${CACHE_KIB}; BEGIN IMMEDIATE`);
    const [{ marks } = { marks: 0 }] = database.prepare('SELECT count(*) AS marks FROM sqlite_schema').all();
    if (marks === 0) database.exec(SCHEMA);
    const row = database.prepare('SELECT text FROM place').get();
    this.place = row === undefined ? undefined : (JSON.parse(String(row['text'])) as AuditPlace);
    this.#addName = database.prepare('INSERT OR IGNORE INTO names VALUES (?)');
    this.#addKey = database.prepare('INSERT INTO keys VALUES (?, ?)');
  }

  /** Opens the file at `path`, and creates it if it does not exist. Without a path it opens a temporary file. */
  static open(path: string | undefined): AuditState {
    let database: DatabaseSync | undefined;
    try {
      // With an empty name SQLite uses a temporary file, which it deletes when it is closed.
      database = new DatabaseSync(path ?? '');
      const id = database.prepare('SELECT application_id AS id FROM pragma_application_id').get()?.['id'];
      const tables = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
      if (id !== APPLICATION_ID && tables !== 0) throw new Error('it is of another kind');
      return new AuditState(database);
    } catch (cause) {
      database?.close();
      const why = cause instanceof Error ? cause.message : 'unreadable';
      throw new WrongUsage(`${path} cannot be used as the state of an audit (${why}): name another file`, { cause });
    }
  }

  /** Adds a name. Returns false if an earlier entry has the same scope and name. */
  readonly addName = ({ scope, name }: Pick<LedgerRecord, 'scope' | 'name'>): boolean => {
    const digest = createHash('sha256')
      .update(JSON.stringify([scope, name]))
      .digest();
    return this.#addName.run(digest.subarray(0, NAME_BYTES)).changes === 1;
  };

  /** Stores an entry about a key for later audits. */
  addKey({ index, scope, name, author, recordedAtMs, leaf }: LedgerRecord): void {
    const record = { scope, name, author, recordedAtMs, leaf: Buffer.from(leaf).toString('base64') };
    this.#addKey.run(index, JSON.stringify(record));
  }

  /** Returns the entries about keys from earlier audits, without their contents, in order. */
  *keys(): Generator<LedgerRecord> {
    for (const row of this.#database.prepare('SELECT idx, record FROM keys ORDER BY idx').iterate()) {
      const kept = JSON.parse(String(row['record'])) as Omit<LedgerRecord, 'leaf'> & { readonly leaf: string };
      const leaf = Buffer.from(kept.leaf, 'base64');
      const erased = { salt: null, content: null, provenance: null };
      yield { ...kept, index: Number(row['idx']), leaf, digest: new Uint8Array(32), ...erased };
    }
  }

  /** Commits the state after an audit without faults. The next audit continues at `place`. */
  keep(place: AuditPlace): void {
    this.#database.prepare('INSERT OR REPLACE INTO place VALUES (1, ?)').run(JSON.stringify(place));
    this.#database.exec('COMMIT');
  }

  /** Closes the file. State that was not committed is discarded. */
  close(): void {
    this.#database.close();
  }
}
