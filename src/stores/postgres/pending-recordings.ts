// Pending recordings in PostgreSQL: any replica completes what another has left. They are placed without the row of the head,
// for which all appends wait.

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
import type { EctError, Rejection } from '../../errors.ts';
import { pendingKey, readFailure, writeFailure } from '../pending-recordings.ts';
import { type CallBatch, CallBatcher } from './call-batcher.ts';
import type { DatabaseUse, PostgresDatabase } from './database.ts';
import type { StoreReasons } from './failures.ts';
import { type Row, wholeNumber } from './ledger-rows.ts';
import { write } from './own-commits.ts';
import { counts, end, fail, forget, insert, open, read, take } from './pending-statements.ts';

const REASONS: StoreReasons = {
  unavailable: 'LEDGER_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'memory of recording orders',
};

/** Orders of one statement, at most. */
const MAX_GROUP = 128;
/** Failures that one look forgets. */
const FORGOTTEN = 256;
/** Completions within this time, in milliseconds, are stored together, because no caller waits for them. */
const LATER_MS = 20;

interface KeyClaim {
  readonly order: PendingRecording;
  readonly leaseMs: number;
}

type Placing = CallBatch<KeyClaim, PendingPlacement>;

export class PostgresPendingRecordings implements PendingRecordings {
  readonly #use: DatabaseUse;
  readonly #ledger: string;
  readonly #limits: PendingLimits;
  readonly #placing = new CallBatcher<KeyClaim, PendingPlacement>((group) => this.#placeAll(group), MAX_GROUP);
  readonly #ending = new CallBatcher<PendingRef, void>((group) => this.#endAll(group), MAX_GROUP, LATER_MS);

  /** `database` must stay open for as long as the orders. */
  constructor(database: PostgresDatabase, ledger = 'main', limits: PendingLimits = PENDING_LIMITS) {
    this.#use = database.use(REASONS);
    this.#ledger = ledger;
    this.#limits = limits;
  }

  place(order: PendingRecording, leaseMs: number): Promise<PendingPlacement> {
    return this.#placing.add({ order, leaseMs });
  }

  async find(task: TaskName): Promise<PendingState | undefined> {
    const { rows } = await this.#use.read(read(this.#ledger, pendingKey(task)));
    return rows[0] === undefined ? undefined : stateOf(rows[0]);
  }

  async take(limit: number, leaseMs: number): Promise<readonly PendingRecording[]> {
    const [taken] = await this.#use.repeatedly((session) =>
      write(session, take(this.#ledger, limit, leaseMs), forget(this.#ledger, FORGOTTEN)),
    );
    return (taken?.rows ?? []).map(orderOf);
  }

  done(order: PendingRef): Promise<void> {
    return this.#ending.add(order);
  }

  async failed(order: PendingRef, failure: Rejection, keepMs: number): Promise<void> {
    const statement = fail(this.#ledger, pendingKey(order), order.digest, writeFailure(failure), keepMs);
    await this.#use.repeatedly((session) => write(session, statement));
  }

  /** The database stays open. */
  async close(): Promise<void> {
    await Promise.all([this.#placing.end(), this.#ending.end()]);
    this.#use.close();
  }

  async #placeAll(group: readonly Placing[]): Promise<void> {
    for (let left = group; left.length > 0; left = await this.#placeEach(left));
  }

  /** Two round trips: what is there and how much; then the orders that fit. Returns those that have to be asked about again. */
  async #placeEach(group: readonly Placing[]): Promise<readonly Placing[]> {
    const callers = [...new Set(group.map(({ item }) => item.order.caller))];
    const keys = group.map(({ item }) => pendingKey(item.order));
    const [held, counted] = await this.#use.repeatedly((session) =>
      session.all(open(this.#ledger, keys), counts(this.#ledger, callers, this.#limits)),
    );
    const digests = new Map(held!.rows.map((row) => [hex(row['key']), row['digest'] as Uint8Array]));
    const room = new Room(counted!.rows, this.#limits);
    const fresh = new Map<string, Placing>();
    const again: Placing[] = [];
    for (const placing of group) {
      const { order } = placing.item;
      const name = hex(pendingKey(order));
      const digest = digests.get(name);
      if (digest !== undefined) placing.resolve(placementBeside(digest, order));
      // It hangs on what becomes of the one before it.
      else if (fresh.has(name)) again.push(placing);
      else {
        const full = room.take(order.caller);
        if (full === undefined) fresh.set(name, placing);
        else placing.reject(full);
      }
    }
    return [...(await this.#insert([...fresh.values()])), ...again];
  }

  /** Returns those whose task had another order by then. */
  async #insert(fresh: readonly Placing[]): Promise<readonly Placing[]> {
    if (fresh.length === 0) return [];
    // In one order in all processes, so that two statements never wait for each other.
    const rows = fresh
      .map((placing) => ({ placing, key: pendingKey(placing.item.order), ...placing.item }))
      .toSorted((a, b) => Buffer.compare(a.key, b.key));
    const [placed] = await this.#use.repeatedly((session) => write(session, insert(this.#ledger, rows)));
    // The commit point: these pending recordings are durable.
    const own = new Set(placed!.rows.map(({ key }) => hex(key)));
    for (const { key, placing } of rows) if (own.has(hex(key))) placing.resolve('placed');
    return rows.filter(({ key }) => !own.has(hex(key))).map(({ placing }) => placing);
  }

  async #endAll(group: readonly CallBatch<PendingRef, void>[]): Promise<void> {
    const refs = group
      .map(({ item }) => ({ key: pendingKey(item), digest: item.digest }))
      .toSorted((a, b) => Buffer.compare(a.key, b.key));
    await this.#use.repeatedly((session) => write(session, end(this.#ledger, refs)));
    for (const { resolve } of group) resolve();
  }
}

/** How many more recordings may be pending, of all callers and of each. */
class Room {
  readonly #limits: PendingLimits;
  readonly #callers: Map<string, number>;
  #total: number;

  constructor(rows: readonly Row[], limits: PendingLimits) {
    this.#limits = limits;
    this.#callers = new Map(rows.map((row) => [textOf(row, 'caller'), wholeNumber(row, 'own')]));
    this.#total = rows[0] === undefined ? 0 : wholeNumber(rows[0], 'total');
  }

  /** Takes room for one order; why there is none. */
  take(caller: string): EctError | undefined {
    const own = this.#callers.get(caller) ?? 0;
    if (own >= this.#limits.perCaller) return tooManyPending('perCaller', this.#limits);
    if (this.#total >= this.#limits.total) return tooManyPending('total', this.#limits);
    this.#callers.set(caller, own + 1);
    this.#total++;
    return undefined;
  }
}

function placementBeside(digest: Uint8Array, order: PendingRef): PendingPlacement {
  return Buffer.compare(digest, order.digest) === 0 ? 'waiting' : 'conflict';
}

function stateOf(row: Row): PendingState {
  const failure = textOf(row, 'failure');
  return {
    iss: textOf(row, 'iss'),
    digest: row['digest'] as Uint8Array,
    failure: failure === '' ? undefined : readFailure(failure),
  };
}

function orderOf(row: Row): PendingRecording {
  return {
    wid: textOf(row, 'wid'),
    jti: textOf(row, 'jti'),
    iss: textOf(row, 'iss'),
    caller: textOf(row, 'caller'),
    digest: row['digest'] as Uint8Array,
    token: textOf(row, 'token'),
    orderedAt: wholeNumber(row, 'ordered_at'),
    provenance: (row['provenance'] as Uint8Array | null) ?? undefined,
  };
}

function textOf(row: Row, column: string): string {
  return (row[column] as Buffer).toString('utf8');
}

function hex(key: unknown): string {
  return Buffer.from(key as Uint8Array).toString('hex');
}
