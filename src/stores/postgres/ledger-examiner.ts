// Looks for damage in the tables of a ledger: whether each index leads to its entries, whether the head is about the tree, and whether
// what makes the tables append-only is still there. Nothing of what is found is changed.

import { headFault, type LedgerRecord } from '../../ledger/index.ts';
import type { DatabaseUse, PostgresDatabase } from './database.ts';
import type { StoreReasons } from './failures.ts';
import { APPEND_ONLY_TRIGGERS, INDEXES } from './layout.ts';
import { wholeNumber } from './ledger-rows.ts';
import { PostgresLedgerStore } from './ledger-store.ts';

const REASONS: StoreReasons = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' };

/** The tables whose triggers and indexes are looked for. */
const APPEND_ONLY = ['entries', 'head', 'identities', 'documents']
  .map((table) => `'ect.${table}'::regclass`)
  .join(', ');

/** Something that is wrong, at an entry or (index null) with the tables as a whole. */
interface Damage {
  readonly index: number | null;
  readonly fault: string;
}

export class PostgresLedgerExaminer {
  readonly #use: DatabaseUse;
  readonly #ledger: string;
  readonly #store: PostgresLedgerStore;

  /** `database` must stay open for as long as the examiner. */
  constructor(database: PostgresDatabase, ledger = 'main') {
    this.#use = database.use(REASONS);
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

  /** Somebody who may drop a trigger may also do what it stops. */
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
