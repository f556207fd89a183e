// A durable table of expiring keys in `once.db`, for the replay guard and the idempotency store.

import type { ExpiringKeys, KeyClaim, StoredValue } from '../expiring-keys.ts';
import { Sweep } from '../sweep.ts';
import type { SqliteDatabase } from './database.ts';
import type { ExpiringKeyTableName } from './expiring-key-layout.ts';
import type { WritableStore } from './storage-watch.ts';

interface Waiting extends KeyClaim {
  readonly resolve: (holder: StoredValue | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Rows of one step: some milliseconds under the lock of the file. */
const SWEPT_ROWS = 256;
const SWEPT_PAGES = 256;
/** The file shrinks while it has more free pages than this, and more than used ones, so that usual fluctuations do not resize it. */
const KEPT_FREE_PAGES = 4_096;

/** Expired rows that each claim deletes: more than it adds, so that a backlog shrinks. */
const FORGET_PER_CLAIM = 4;

/** Rows by key. Claims of the same turn of the event loop share one transaction and one fsync; each returns after the commit. */
export class ExpiringKeyTable implements ExpiringKeys {
  readonly #database: SqliteDatabase;
  readonly #statements: ReturnType<typeof prepareStatements>;
  #waiting: Waiting[] = [];
  readonly #sweep: Sweep;
  #answering: Promise<void> | undefined;

  /**
   * Owns `database`, which is closed with the table. `earliest` is the clock of the sweep, in seconds, which is also that of the claims.
   */
  constructor(database: SqliteDatabase, name: ExpiringKeyTableName, earliest?: () => number) {
    this.#database = database;
    try {
      this.#statements = database.read(() => prepareStatements(database, name));
    } catch (error) {
      database.close();
      throw error;
    }
    this.#sweep = new Sweep({ step: (now) => this.#deleteExpired(now), earliest });
  }

  /**
   * The value of the key, if its row has not expired at `now`. Rejects instead of reporting a missing row if the file is known to be
   * damaged.
   */
  async get(key: Uint8Array, now: number): Promise<StoredValue | undefined> {
    this.#sweep.noteTime(now);
    const holder = this.#database.read(() => this.#holder(key, now));
    if (holder === undefined) this.#database.rejectDamaged();
    else await this.#database.sync();
    return holder;
  }

  /** Stores the key unless an unexpired row has it; then returns that row. Rejects if the file is known to be damaged. */
  async putIfAbsent(claim: KeyClaim): Promise<StoredValue | undefined> {
    this.#sweep.noteTime(claim.now);
    this.#database.rejectDamaged();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...claim, resolve, reject });
      this.#answering ??= this.#answerAll();
    });
  }

  get writes(): WritableStore {
    return this.#database;
  }

  /** See SqliteLedgerStore. */
  replacedFile(): string | undefined {
    return this.#database.replacedFile();
  }

  /** Completes the waiting calls, then closes the file. */
  async close(): Promise<void> {
    await Promise.all([this.#answering, this.#sweep.stop()]);
    await this.#database.end();
  }

  /** Deletes some expired rows, or shrinks the file. Returns whether there is more to do. */
  async #deleteExpired(now: number): Promise<boolean> {
    const { expired, forget, freePages, pages } = this.#statements;
    const isExpired = () => Number.isFinite(now) && expired.get(now) !== undefined;
    const isLarge = () => {
      const free = Number(freePages.get()?.['n']);
      return free > KEPT_FREE_PAGES && free > Number(pages.get()?.['n']) / 2;
    };
    if (!this.#database.read(() => isExpired() || isLarge())) return false;
    await this.#database.writeDurably(() => {
      if (isExpired()) forget.run(now, SWEPT_ROWS);
      else this.#database.connection.exec(`PRAGMA incremental_vacuum(${SWEPT_PAGES})`);
    });
    return this.#database.read(() => isExpired() || isLarge());
  }

  async #answerAll(): Promise<void> {
    // Waits one turn of the event loop, so that claims of the same turn share a transaction.
    for (await nextTurn(); this.#waiting.length > 0; await nextTurn()) await this.#answerGroup();
    this.#answering = undefined;
  }

  async #answerGroup(): Promise<void> {
    const group = this.#waiting;
    this.#waiting = [];
    try {
      const holders = await this.#database.writeDurably(() => {
        this.#forget(group);
        return group.map((claim) => this.#take(claim));
      });
      // From here on every row of the group is durable.
      for (const [place, { resolve }] of group.entries()) resolve(holders[place]);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  #take({ key, value, keepUntil, now }: KeyClaim): StoredValue | undefined {
    const { changes } = this.#statements.take.run(key, value.digest, value.label, value.content, keepUntil, now);
    return changes === 1 ? undefined : this.#holder(key, now);
  }

  #holder(key: Uint8Array, now: number): StoredValue | undefined {
    const row = this.#statements.holder.get(key, now);
    if (row === undefined) return undefined;
    const { digest, label, content } = row as { digest: Uint8Array; label: string; content: string };
    return { digest, label, content };
  }

  // A row may still be valid for the claim with the earliest time, so that time is used.
  #forget(group: readonly Waiting[]): void {
    const now = group.reduce((earliest, claim) => Math.min(earliest, claim.now), Number.POSITIVE_INFINITY);
    this.#statements.forget.run(now, group.length * FORGET_PER_CLAIM);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function prepareStatements({ connection }: SqliteDatabase, name: ExpiringKeyTableName) {
  return {
    holder: connection.prepare(`SELECT digest, label, content FROM ${name} WHERE key = ? AND keep_until >= ?`),
    // An expired row is replaced in the same statement.
    take: connection.prepare(
      `INSERT INTO ${name} (key, digest, label, content, keep_until) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET
         digest = excluded.digest, label = excluded.label, content = excluded.content, keep_until = excluded.keep_until
       WHERE keep_until < ?`,
    ),
    expired: connection.prepare(`SELECT 1 FROM ${name} WHERE keep_until < ? LIMIT 1`),
    freePages: connection.prepare('SELECT freelist_count AS n FROM pragma_freelist_count'),
    pages: connection.prepare('SELECT page_count AS n FROM pragma_page_count'),
    forget: connection.prepare(
      `DELETE FROM ${name} WHERE key IN (SELECT key FROM ${name} WHERE keep_until < ? ORDER BY keep_until LIMIT ?)`,
    ),
  };
}
