// Pending recordings in `once.db`: its write lock and its fsyncs are not those of the ledger, so that a recording becomes durable also
// while the ledger is busy or unavailable.

import type { StatementSync } from 'node:sqlite';
import {
  PENDING_LIMITS,
  type PendingLimits,
  type PendingOutcome,
  type PendingRecording,
  type PendingRecordings,
  type PendingRef,
  type PendingState,
  type TaskName,
  tooManyPending,
} from '../../authority/index.ts';
import { EctError, type Rejection } from '../../errors.ts';
import { pendingKey, readFailure, writeFailure } from '../pending-recordings.ts';
import { PENDING_RECORDINGS } from '../store-reasons.ts';
import type { SqliteDatabase } from './database.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { openDatabase } from './open-database.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';
import { WriteGroup } from './write-group.ts';

/** A longer lease was written before the clock was set back: it counts as expired. */
const LONGEST_LEASE_MS = 60_000;
/**
 * The times of the store, in milliseconds. Leases use the clock of the machine, which all its processes share; one that expires too early
 * does no harm. Expiries use the trusted time, and rows are deleted by the earliest plausible time.
 */
export interface PendingClock {
  readonly leaseMs: () => number;
  readonly nowMs: () => number;
  readonly earliestMs: () => number;
}

const MACHINE_CLOCK: PendingClock = { leaseMs: Date.now, nowMs: Date.now, earliestMs: Date.now };

/** Most failures that one `take` deletes. */
const FORGOTTEN = 256;

export class SqlitePendingRecordings implements PendingRecordings {
  readonly #database: SqliteDatabase;
  readonly #limits: PendingLimits;
  readonly #clock: PendingClock;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #group: WriteGroup;
  /** Counts of pending recordings, as of the current transaction. */
  #counts = new Map<string, number>();

  /** Owns `database`, which is closed with this object. */
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

  /** Opens the file at `path`, and creates it if it does not exist. */
  static open(path: string, clock?: PendingClock, watch?: StorageWatch): SqlitePendingRecordings {
    return new SqlitePendingRecordings(
      openDatabase(path, EXPIRING_KEY_LAYOUT, PENDING_RECORDINGS, watch),
      PENDING_LIMITS,
      clock,
    );
  }

  /** Whether the file can be written. */
  get writes(): WritableStore {
    return this.#database;
  }

  async add(recording: PendingRecording, leaseMs: number): Promise<PendingOutcome> {
    this.#database.rejectDamaged();
    const outcome = await this.#group.soon(() => this.#add(recording, leaseMs));
    if (outcome instanceof EctError) throw outcome;
    return outcome;
  }

  async find(task: TaskName): Promise<PendingState | undefined> {
    const row = this.#database.read(() => this.#statements.state.get(pendingKey(task), this.#clock.earliestMs()));
    if (row === undefined) return undefined;
    // Another process may have written the row and not synced it.
    await this.#database.sync();
    const { iss, digest, failure } = row as { iss: string; digest: Uint8Array; failure: string };
    return { iss, digest, failure: failure === '' ? undefined : readFailure(failure) };
  }

  async take(limit: number, leaseMs: number): Promise<readonly PendingRecording[]> {
    const { anyDue, take, forget } = this.#statements;
    const now = this.#clock.leaseMs();
    const latest = now + LONGEST_LEASE_MS;
    const earliest = this.#clock.earliestMs();
    // Most calls find nothing, so they write nothing.
    if (this.#database.read(() => anyDue.get(now, latest, earliest)) === undefined) return [];
    return this.#group.soon(() => {
      forget.run(earliest, FORGOTTEN);
      return take.all(now + leaseMs, now, latest, limit).map(recordingOf);
    });
  }

  async done(recording: PendingRef): Promise<void> {
    await this.#group.later(() => this.#statements.done.run(pendingKey(recording), recording.digest));
  }

  async failed(recording: PendingRef, failure: Rejection, keepMs: number): Promise<void> {
    const until = this.#clock.nowMs() + keepMs;
    await this.#group.later(() =>
      this.#statements.failed.run(writeFailure(failure), until, pendingKey(recording), recording.digest),
    );
  }

  async close(): Promise<void> {
    await this.#group.end();
    await this.#database.end();
  }

  /** Returns an error instead of throwing it, because other calls share the transaction. */
  #add(recording: PendingRecording, leaseMs: number): PendingOutcome | EctError {
    const { wid, jti, iss, caller, digest, token, requestedAt, provenance = null } = recording;
    const { open, add } = this.#statements;
    const key = pendingKey(recording);
    const existing = open.get(key)?.['digest'];
    if (existing instanceof Uint8Array) return Buffer.compare(existing, digest) === 0 ? 'duplicate' : 'conflict';
    const { total, perCaller } = this.#limits;
    const ofCaller = this.#count('caller', caller, perCaller);
    if (ofCaller >= perCaller) return tooManyPending('perCaller', this.#limits);
    const ofAll = this.#count('all', undefined, total);
    if (ofAll >= total) return tooManyPending('total', this.#limits);
    const dueMs = this.#clock.leaseMs() + leaseMs;
    add.run(key, wid, jti, iss, caller, digest, token, requestedAt, dueMs, provenance);
    this.#counts.set(`caller ${caller}`, ofCaller + 1);
    this.#counts.set('all ', ofAll + 1);
    return 'added';
  }

  /** Counts once per transaction, up to the limit. */
  #count(of: 'caller' | 'all', caller: string | undefined, limit: number): number {
    const name = `${of} ${caller ?? ''}`;
    const known = this.#counts.get(name);
    if (known !== undefined) return known;
    const row =
      caller === undefined ? this.#statements.countAll.get(limit) : this.#statements.countOf.get(caller, limit);
    return Number(row?.['n']);
  }
}

function recordingOf(row: ReturnType<StatementSync['all']>[number]): PendingRecording {
  const { wid, jti, iss, caller, digest, token, ordered_at: requestedAt, provenance } = row;
  return {
    wid: String(wid),
    jti: String(jti),
    iss: String(iss),
    caller: String(caller),
    digest: digest as Uint8Array,
    token: String(token),
    requestedAt: Number(requestedAt),
    provenance: (provenance as Uint8Array | null) ?? undefined,
  };
}

function prepareStatements({ connection }: SqliteDatabase) {
  const due = 'is_open = 1 AND (due <= ? OR due > ?)';
  return {
    state: connection.prepare('SELECT iss, digest, failure FROM orders WHERE key = ? AND (is_open = 1 OR due > ?)'),
    open: connection.prepare('SELECT digest FROM orders WHERE key = ? AND is_open = 1'),
    // Replaces a failed recording.
    add: connection.prepare(
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
