// Recording orders in the file of what is remembered once: its write lock and its syncs are not those of the ledger, so that an
// order is durable also while the ledger is busy or does not answer.

import type { StatementSync } from 'node:sqlite';
import {
  PENDING_LIMITS,
  type PendingLimits,
  type PendingPlacement,
  type PendingRecording,
  type PendingRecordings,
  type PendingRef,
  type PendingState,
  type TaskName,
  tooManyPending,
} from '../../authority/index.ts';
import { EctError, type Rejection } from '../../errors.ts';
import { pendingKey, readFailure, writeFailure } from '../pending-recordings.ts';
import type { SqliteDatabase } from './database.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import type { StoreReasons } from './failures.ts';
import { openDatabase } from './open-database.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';
import { WriteGroup } from './write-group.ts';

const REASONS: StoreReasons = {
  unavailable: 'LEDGER_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'memory of recording orders',
};

/** A lease that ends later than this was given before the clock was set back: it counts as over. */
const LONGEST_LEASE_MS = 60_000;
/**
 * What time it is, in milliseconds. Leases use the clock of the machine, which all its processes read: one that is over
 * too early does no harm. What is kept for a time uses the trusted time, and is forgotten by the earliest that it can
 * be.
 */
export interface PendingClock {
  readonly leaseMs: () => number;
  readonly nowMs: () => number;
  readonly earliestMs: () => number;
}

const MACHINE_CLOCK: PendingClock = { leaseMs: Date.now, nowMs: Date.now, earliestMs: Date.now };

/** Failures that one look forgets. */
const FORGOTTEN = 256;

export class SqlitePendingRecordings implements PendingRecordings {
  readonly #database: SqliteDatabase;
  readonly #limits: PendingLimits;
  readonly #clock: PendingClock;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #group: WriteGroup;
  /** Open orders, as counted in the transaction that is under way. */
  #counts = new Map<string, number>();

  /** Takes over `database`, which is closed with the orders. */
  constructor(database: SqliteDatabase, limits: PendingLimits = PENDING_LIMITS, clock: PendingClock = MACHINE_CLOCK) {
    this.#database = database;
    this.#limits = limits;
    this.#clock = clock;
    this.#group = new WriteGroup(database, () => this.#counts.clear());
    try {
      this.#statements = database.read(() => prepareStatements(database));
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Opens the orders in the file at `path`, and creates the file where there is none. */
  static open(path: string, clock?: PendingClock, watch?: StorageWatch): SqlitePendingRecordings {
    return new SqlitePendingRecordings(openDatabase(path, EXPIRING_KEY_LAYOUT, REASONS, watch), PENDING_LIMITS, clock);
  }

  /** Whether the file can be written. */
  get writes(): WritableStore {
    return this.#database;
  }

  async place(order: PendingRecording, leaseMs: number): Promise<PendingPlacement> {
    this.#database.rejectDamaged();
    const placed = await this.#group.soon(() => this.#place(order, leaseMs));
    if (placed instanceof EctError) throw placed;
    return placed;
  }

  async find(task: TaskName): Promise<PendingState | undefined> {
    const row = this.#database.read(() => this.#statements.state.get(pendingKey(task), this.#clock.earliestMs()));
    if (row === undefined) return undefined;
    // It may be a row that another process is writing.
    await this.#database.sync();
    const { iss, digest, failure } = row as { iss: string; digest: Uint8Array; failure: string };
    return { iss, digest, failure: failure === '' ? undefined : readFailure(failure) };
  }

  async take(limit: number, leaseMs: number): Promise<readonly PendingRecording[]> {
    const { anyDue, take, forget } = this.#statements;
    const now = this.#clock.leaseMs();
    const latest = now + LONGEST_LEASE_MS;
    const earliest = this.#clock.earliestMs();
    // Most looks find nothing, and write nothing.
    if (this.#database.read(() => anyDue.get(now, latest, earliest)) === undefined) return [];
    return this.#group.soon(() => {
      forget.run(earliest, FORGOTTEN);
      return take.all(now + leaseMs, now, latest, limit).map(orderOf);
    });
  }

  async done(order: PendingRef): Promise<void> {
    await this.#group.later(() => this.#statements.done.run(pendingKey(order), order.digest));
  }

  async failed(order: PendingRef, failure: Rejection, keepMs: number): Promise<void> {
    const until = this.#clock.nowMs() + keepMs;
    await this.#group.later(() =>
      this.#statements.failed.run(writeFailure(failure), until, pendingKey(order), order.digest),
    );
  }

  async close(): Promise<void> {
    await this.#group.end();
    await this.#database.end();
  }

  /** What does not fit is answered and not thrown: the others of the transaction go on. */
  #place(order: PendingRecording, leaseMs: number): PendingPlacement | EctError {
    const { wid, jti, iss, caller, digest, token, orderedAt, provenance = null } = order;
    const { open, place } = this.#statements;
    const key = pendingKey(order);
    const held = open.get(key)?.['digest'];
    if (held instanceof Uint8Array) return Buffer.compare(held, digest) === 0 ? 'waiting' : 'conflict';
    const { total, perCaller } = this.#limits;
    const ofCaller = this.#count('caller', caller, perCaller);
    if (ofCaller >= perCaller) return tooManyPending('perCaller', this.#limits);
    const ofAll = this.#count('all', undefined, total);
    if (ofAll >= total) return tooManyPending('total', this.#limits);
    const dueMs = this.#clock.leaseMs() + leaseMs;
    place.run(key, wid, jti, iss, caller, digest, token, orderedAt, dueMs, provenance);
    this.#counts.set(`caller ${caller}`, ofCaller + 1);
    this.#counts.set('all ', ofAll + 1);
    return 'placed';
  }

  /** Counted once in a transaction, up to the limit. */
  #count(of: 'caller' | 'all', caller: string | undefined, limit: number): number {
    const name = `${of} ${caller ?? ''}`;
    const known = this.#counts.get(name);
    if (known !== undefined) return known;
    const row =
      caller === undefined ? this.#statements.countAll.get(limit) : this.#statements.countOf.get(caller, limit);
    return Number(row?.['n']);
  }
}

function orderOf(row: ReturnType<StatementSync['all']>[number]): PendingRecording {
  const { wid, jti, iss, caller, digest, token, ordered_at: orderedAt, provenance } = row;
  return {
    wid: String(wid),
    jti: String(jti),
    iss: String(iss),
    caller: String(caller),
    digest: digest as Uint8Array,
    token: String(token),
    orderedAt: Number(orderedAt),
    provenance: (provenance as Uint8Array | null) ?? undefined,
  };
}

function prepareStatements({ connection }: SqliteDatabase) {
  const due = 'is_open = 1 AND (due <= ? OR due > ?)';
  return {
    state: connection.prepare('SELECT iss, digest, failure FROM orders WHERE key = ? AND (is_open = 1 OR due > ?)'),
    open: connection.prepare('SELECT digest FROM orders WHERE key = ? AND is_open = 1'),
    // The place of one that failed.
    place: connection.prepare(
      `INSERT OR REPLACE INTO orders (key, wid, jti, iss, caller, digest, token, ordered_at, failure, is_open, due, provenance)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', 1, ?, ?)`,
    ),
    countAll: connection.prepare('SELECT count(*) AS n FROM (SELECT 1 FROM orders WHERE is_open = 1 LIMIT ?)'),
    countOf: connection.prepare(
      'SELECT count(*) AS n FROM (SELECT 1 FROM orders WHERE is_open = 1 AND caller = ? LIMIT ?)',
    ),
    anyDue: connection.prepare(
      `SELECT 1 WHERE EXISTS (SELECT 1 FROM orders WHERE ${due})
       OR EXISTS (SELECT 1 FROM orders WHERE is_open = 0 AND due <= ?)`,
    ),
    take: connection.prepare(
      `UPDATE orders SET due = ? WHERE key IN (SELECT key FROM orders WHERE ${due} ORDER BY due LIMIT ?)
       RETURNING wid, jti, iss, caller, digest, token, ordered_at, provenance`,
    ),
    done: connection.prepare('DELETE FROM orders WHERE key = ? AND digest = ? AND is_open = 1'),
    failed: connection.prepare(
      `UPDATE orders SET is_open = 0, token = '', provenance = NULL, failure = ?, due = ? WHERE key = ? AND digest = ? AND is_open = 1`,
    ),
    forget: connection.prepare(
      'DELETE FROM orders WHERE key IN (SELECT key FROM orders WHERE is_open = 0 AND due <= ? LIMIT ?)',
    ),
  };
}
