// Searches the tables of a ledger for damage: whether each index finds its entries, whether the head fits the tree, and whether the
// triggers that make the tables append-only exist. It changes nothing.

import { headFault, type LedgerRecord } from '../../ledger/index.ts';
import { LEDGER } from '../store-reasons.ts';
import type { DatabaseUse, PostgresDatabase } from './database.ts';
import { APPEND_ONLY_TRIGGERS, INDEXES } from './layout.ts';
import { wholeNumber } from './ledger-rows.ts';
import { PostgresLedgerStore } from './ledger-store.ts';

/** The tables whose triggers and indexes are checked. */
const APPEND_ONLY = ['entries', 'head', 'identities', 'documents']
  .map((table) => `'ect.${table}'::regclass`)
  .join(', ');

/** A fault of an entry or (index null) of the tables as a whole. */
interface Damage {
  readonly index: number | null;
  readonly fault: string;
}

export class PostgresLedgerExaminer {
  readonly #use: DatabaseUse;
  readonly #ledger: string;
  readonly #store: PostgresLedgerStore;

  /** `database` must stay open as long as the examiner. */
  constructor(database: PostgresDatabase, ledger = 'main') {
    this.#use = database.use(LEDGER);
    this.#ledger = ledger;
    this.#store = new PostgresLedgerStore(database, ledger);
  }

  async indexFaults(records: readonly LedgerRecord[]): Promise<readonly Damage[]> {
    const { rows } = await this.#use.read({
      text: `SELECT wanted.idx,
               (SELECT e.idx FROM ect.entries e
                WHERE e.ledger = $1 AND e.name = wanted.name AND e.scope = wanted.scope LIMIT 1) AS by_name,
               (SELECT e.idx FROM ect.entries e
                WHERE e.ledger || '' = $1 AND e.scope = wanted.scope AND e.idx = wanted.idx) AS by_scope,
               (SELECT e.idx FROM ect.entries e
                WHERE e.ledger || '' = $1 AND e.author = wanted.author AND e.idx = wanted.idx) AS by_author
             FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[]) AS wanted (idx, scope, name, author)`,
      values: [
        this.#ledger,
        records.map(({ index }) => index),
        records.map(({ scope }) => Buffer.from(scope)),
        records.map(({ name }) => Buffer.from(name)),
        records.map(({ author }) => Buffer.from(author)),
      ],
    });
    return rows.flatMap((row) => {
      const missed = ['name', 'scope', 'author'].find((index) => row[`by_${index}`] !== row['idx']);
      return missed === undefined
        ? []
        : [{ index: wholeNumber(row, 'idx'), fault: `it is not found by its ${missed}` }];
    });
  }

  async wholeFaults(verifierKey: string): Promise<readonly Damage[]> {
    const head = await headFault(this.#store, verifierKey);
    const faults = [
      ...(head === undefined ? [] : [head]),
      ...(await this.#strayFaults()),
      ...(await this.#layoutFaults()),
    ];
    return faults.map((fault) => ({ index: null, fault }));
  }

  async #strayFaults(): Promise<readonly string[]> {
    const { rows } = await this.#use.read({
      text: `SELECT count(*) AS stray FROM ect.head h JOIN ect.entries e ON e.ledger = h.ledger AND e.idx >= h.size
             WHERE h.ledger = $1`,
      values: [this.#ledger],
    });
    const stray = Number(rows[0]?.['stray']);
    return stray === 0 ? [] : [`${stray} entries lie behind the head`];
  }

  /** A role that may drop a trigger may also do what it prevents. */
  async #layoutFaults(): Promise<readonly string[]> {
    const { rows: triggers } = await this.#use.read({
      text: `SELECT t.tgname AS name FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
             WHERE t.tgrelid IN (${APPEND_ONLY})
               AND t.tgenabled IN ('O', 'A') AND p.prosrc LIKE '%RAISE EXCEPTION%'`,
    });
    const { rows: indexes } = await this.#use.read({
      text: `SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE i.indrelid IN (${APPEND_ONLY})
               AND i.indisvalid AND i.indisready`,
    });
    const [has, leads] = [triggers, indexes].map((rows) => new Set(rows.map(({ name }) => String(name))));
    return [
      ...APPEND_ONLY_TRIGGERS.filter((name) => !has!.has(name)).map(
        (name) => `the trigger ${name} is missing or switched off`,
      ),
      ...INDEXES.filter((name) => !leads!.has(name)).map((name) => `the index ${name} is missing or not valid`),
    ];
  }
}
