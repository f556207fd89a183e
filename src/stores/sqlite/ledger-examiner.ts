// Searches the file of a ledger for damage: whether each entry agrees with its leaf and the tree, whether each index finds it, and
// whether the head fits the tree. It changes nothing.

import { statSync } from 'node:fs';
import type { StatementSync } from 'node:sqlite';
import { recordFault } from '../../authority/index.ts';
import { EctError } from '../../errors.ts';
import { contentFault, headFault, leafHash, nodeHash } from '../../ledger/index.ts';
import { HASH_BYTES } from '../ledger-rows.ts';
import { LEDGER } from '../store-reasons.ts';
import { completingLeaf } from '../tree-layout.ts';
import type { SqliteDatabase } from './database.ts';
import { layoutOf } from './layout.ts';
import { hasProvenance, LEDGER_LAYOUT } from './ledger-layout.ts';
import { entryColumnsWithContent, recordOf, type SqliteRow } from './ledger-rows.ts';
import { SqliteLedgerStore } from './ledger-store.ts';
import { openReadOnlyDatabase } from './open-database.ts';
import { schemaFault } from './schema-check.ts';

/** The maximum number of faults that SQLite's own check reports. */
const MAX_STRUCTURE_FAULTS = 20;

/**
 * Up to this size a scrub lets SQLite check the structure of a file, which takes less than three seconds, during which pages written
 * meanwhile cannot be moved. `ect audit` checks larger files.
 */
export const SCRUBBED_STRUCTURE_BYTES = 256 * 1024 * 1024;

/** A fault of an entry or (index null) of the file as a whole. */
export interface Damage {
  readonly index: number | null;
  readonly fault: string;
}

/**
 * Reads over its own connection, also while a service writes. Each query is a separate statement, so that no read transaction stays open.
 * A part that SQLite refuses to read is a fault; errors of the disk are thrown.
 */
export class LedgerExaminer {
  readonly #database: SqliteDatabase;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #store: SqliteLedgerStore;

  readonly #path: string;
  readonly #layout: ReturnType<typeof layoutOf>;

  private constructor(path: string, database: SqliteDatabase) {
    this.#path = path;
    this.#database = database;
    this.#store = new SqliteLedgerStore(database);
    this.#layout = database.read(() => layoutOf(database.connection, LEDGER_LAYOUT));
    this.#statements = database.read(() => prepareStatements(database, hasProvenance(this.#layout)));
  }

  /**
   * Opens the ledger at `path`. LEDGER_CORRUPT if it is too damaged for that. `isAtRest`: no process has it open for writing, so it is
   * read without locks, which is twice as fast.
   */
  static open(path: string, isAtRest = false): LedgerExaminer {
    return new LedgerExaminer(path, openReadOnlyDatabase(path, LEDGER_LAYOUT, LEDGER, isAtRest));
  }

  /** The number of entries now. */
  async size(): Promise<number> {
    return (await this.#store.head())?.size ?? 0;
  }

  /** The fault of the entry at `index`, which must exist; undefined if it has none. */
  entryFault(index: number): Damage | undefined {
    return this.#ask(index, () => {
      const row = this.#statements.entry.get(index);
      if (row === undefined) return 'it is not found by its index';
      const record = recordOf(row);
      return recordFault(record) ?? contentFault(record) ?? this.#nodesFault(index, row) ?? this.#indexFault(row);
    });
  }

  /** Which index does not find the entry at `index`. */
  indexFault(index: number): Damage | undefined {
    return this.#ask(index, () => {
      const row = this.#statements.names.get(index);
      return row === undefined ? 'it is not found by its index' : this.#indexFault(row);
    });
  }

  /**
   * The faults of the file apart from its entries: the schema, the head, and index rows without an entry, among the first `size` entries.
   * One statement for each index, 0.2 s for a million entries. SQLite's own check also reads a file up to SCRUBBED_STRUCTURE_BYTES
   * completely, in one statement, 1 s for 100 MB.
   */
  async wholeFaults(
    size: number,
    verifierKey: string,
    structureBytes = Number.POSITIVE_INFINITY,
  ): Promise<readonly Damage[]> {
    const counts = (['by_name', 'by_scope', 'by_author'] as const).map((index) =>
      this.#ask(null, () => {
        const rows = Number(this.#statements.counts[index].get(size)?.['n']);
        return rows === size ? undefined : `the index entries_${index} has ${rows} rows for ${size} entries`;
      }),
    );
    const schema = this.#ask(null, () => schemaFault(this.#database.connection, this.#layout));
    const head = await headFault(this.#store, verifierKey);
    const structure = statSync(this.#path).size <= structureBytes ? this.#structureFaults() : [];
    return [schema, ...counts, head === undefined ? undefined : { index: null, fault: head }, ...structure].filter(
      (damage) => damage !== undefined,
    );
  }

  close(): void {
    this.#database.close();
  }

  /** The faults that SQLite finds in the structure of the file: pages, free space, and each index against its table. */
  #structureFaults(): readonly Damage[] {
    const faults: Damage[] = [];
    const thrown = this.#ask(null, () => {
      for (const row of this.#statements.integrity.iterate()) {
        const text = String(Object.values(row)[0]);
        if (text !== 'ok') faults.push({ index: null, fault: `SQLite: ${text}` });
      }
      return undefined;
    });
    return thrown === undefined ? faults : [...faults, thrown];
  }

  /** The leaf hash and each subtree that the entry completes, compared with their stored children. */
  #nodesFault(index: number, row: SqliteRow): string | undefined {
    const { leaf, nodes } = row as { leaf: Uint8Array; nodes: Uint8Array };
    let [expected, at] = [leafHash(leaf), index];
    for (let level = 0; ; level++) {
      const stored = nodes.subarray(level * HASH_BYTES, (level + 1) * HASH_BYTES);
      if (Buffer.compare(stored, expected) !== 0) {
        return level === 0
          ? 'its leaf is not the one that the tree was built from'
          : `node ${at} of level ${level} does not follow from what is below it`;
      }
      if (at % 2 === 0)
        return nodes.length === stored.byteOffset + HASH_BYTES - nodes.byteOffset ? undefined : TOO_MANY;
      const left = this.#node(level, at - 1);
      if (left === undefined) return `node ${at - 1} of level ${level} is missing`;
      [expected, at] = [nodeHash(left, stored), (at - 1) / 2];
    }
  }

  #node(level: number, index: number): Uint8Array | undefined {
    const row = this.#statements.node.get(level * HASH_BYTES + 1, completingLeaf({ level, index }));
    const hash = row?.['hash'];
    return hash instanceof Uint8Array && hash.length === HASH_BYTES ? hash : undefined;
  }

  #indexFault({ idx, scope, name, author }: SqliteRow): string | undefined {
    const { byName, byScope, byAuthor } = this.#statements;
    if (byName.get(name!, scope!)?.['idx'] !== idx) return 'it is not found by its name';
    if (byScope.get(scope!, idx!) === undefined) return 'it is not listed under its scope';
    if (byAuthor.get(author!, idx!) === undefined) return 'it is not listed under its issuer';
    return undefined;
  }

  #ask(index: number | null, question: () => string | undefined): Damage | undefined {
    try {
      const fault = this.#database.read(question);
      return fault === undefined ? undefined : { index, fault };
    } catch (error) {
      if (error instanceof EctError && error.reason === 'LEDGER_CORRUPT') return { index, fault: error.message };
      throw error;
    }
  }
}

const TOO_MANY = 'it has more nodes than it completes';

function prepareStatements({ connection }: SqliteDatabase, isCurrent: boolean) {
  // Each statement uses exactly one index, independent of the planner.
  const count = (index: string): StatementSync =>
    connection.prepare(`SELECT count(*) AS n FROM entries INDEXED BY entries_${index} WHERE +idx < ?`);
  return {
    entry: connection.prepare(`SELECT ${entryColumnsWithContent(isCurrent)}, nodes FROM entries WHERE idx = ?`),
    names: connection.prepare('SELECT idx, scope, name, author FROM entries WHERE idx = ?'),
    node: connection.prepare(`SELECT substr(nodes, ?, ${HASH_BYTES}) AS hash FROM entries WHERE idx = ?`),
    byName: connection.prepare('SELECT idx FROM entries INDEXED BY entries_by_name WHERE name = ? AND scope = ?'),
    byScope: connection.prepare('SELECT idx FROM entries INDEXED BY entries_by_scope WHERE scope = ? AND idx = ?'),
    byAuthor: connection.prepare('SELECT idx FROM entries INDEXED BY entries_by_author WHERE author = ? AND idx = ?'),
    counts: { by_name: count('by_name'), by_scope: count('by_scope'), by_author: count('by_author') },
    integrity: connection.prepare(`PRAGMA integrity_check(${MAX_STRUCTURE_FAULTS})`),
  };
}
