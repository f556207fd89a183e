// Things remembered once, for a time, durably. The replay guard and the issue memo are both made of it.

import type { StoredValue } from '../expiring-keys.ts';
import type { SqliteDatabase } from './database.ts';
import type { ExpiringKeyTableName } from './expiring-key-layout.ts';
import type { WritableStore } from './storage-watch.ts';

/** What one call wants to hold; `keepUntil` and `now` in seconds since the epoch. */
interface KeyClaim {
  readonly key: Uint8Array;
  readonly value: StoredValue;
  readonly keepUntil: number;
  readonly now: number;
}

interface Waiting extends KeyClaim {
  readonly resolve: (holder: StoredValue | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** How often the table looks for expired rows, also without claims. */
const SWEEP_MS = 1_000;
/** The pause between two steps while there is more to do. */
const NEXT_STEP_MS = 100;
/** One step: some milliseconds under the lock of the file. */
const SWEPT_ROWS = 256;
const SWEPT_PAGES = 256;
/** The file shrinks while more of it is free than this, and than is in use: in its usual rise and fall it stays as it is. */
const KEPT_FREE_PAGES = 4_096;

/** Rows that each claim makes the table forget, once their time is over: more than it adds, so a backlog shrinks. */
const FORGET_PER_CLAIM = 4;

/**
 * Rows by key. Claims that arrive in the same turn of the event loop share one transaction, so one fsync serves them
 * all; each is answered only after the commit.
 */
export class ExpiringKeyTable {
  readonly #database: SqliteDatabase;
  readonly #statements: ReturnType<typeof prepareStatements>;
  #waiting: Waiting[] = [];
  readonly #earliest: (() => number) | undefined;
  /** The last known time, and when it was given: the sweep uses it where no clock is at hand. */
  readonly #told = { now: Number.NEGATIVE_INFINITY, atMs: 0 };
  #sweeping: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;
  #answering: Promise<void> | undefined;

  /**
   * Takes over `database`, which is closed with the table. `earliest` is the clock of the sweep, in seconds: the same
   * that callers use for their claims.
   */
  constructor(database: SqliteDatabase, name: ExpiringKeyTableName, earliest?: () => number) {
    this.#database = database;
    this.#earliest = earliest;
    try {
      this.#statements = database.read(() => prepareStatements(database, name));
    } catch (error) {
      database.close();
      throw error;
    }
    this.#sweepIn(SWEEP_MS);
  }

  /** What holds the key at `now`, if anything. That nothing does is not said of a file that is known to be damaged. */
  async get(key: Uint8Array, now: number): Promise<StoredValue | undefined> {
    this.#tell(now);
    const holder = this.#database.read(() => this.#holder(key, now));
    if (holder === undefined) this.#database.rejectDamaged();
    else await this.#database.sync();
    return holder;
  }

  /** Stores the key unless it exists; then returns the existing row. Rejects if the file is known to be damaged. Atomic across all processes that share the file. */
  async putIfAbsent(claim: KeyClaim): Promise<StoredValue | undefined> {
    this.#tell(claim.now);
    this.#database.rejectDamaged();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...claim, resolve, reject });
      this.#answering ??= this.#answerAll();
    });
  }

  get writes(): WritableStore {
    return this.#database;
  }

  /** Settles what waits, then closes the file. */
  /** See SqliteLedgerStore. */
  replacedFile(): string | undefined {
    return this.#database.replacedFile();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#answering, this.#sweeping]);
    await this.#database.end();
  }

  #tell(now: number): void {
    this.#told.now = now;
    this.#told.atMs = performance.now();
  }

  #sweepIn(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#sweep().then(
        (hasMore) => this.#sweepAgain(hasMore ? NEXT_STEP_MS : SWEEP_MS),
        // The next write reports the failure. The deletion can wait.
        () => this.#sweepAgain(SWEEP_MS),
      );
    }, pauseMs);
    this.#timer.unref();
  }

  #sweepAgain(pauseMs: number): void {
    if (!this.#isClosing) this.#sweepIn(pauseMs);
  }

  /** One step of forgetting, or of shrinking the file. Returns whether there is more to do. */
  async #sweep(): Promise<boolean> {
    const { now: told, atMs } = this.#told;
    const now = this.#earliest?.() ?? Math.floor(told + (performance.now() - atMs) / 1000);
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
    // One turn of the event loop, so that all who were woken together are gathered.
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

  // A row may still count for the claim with the earliest time, so that time decides.
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
    // A row whose time is over is taken over in the same statement.
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
