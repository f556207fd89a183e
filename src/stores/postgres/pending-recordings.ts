// Pending recordings in PostgreSQL: any replica completes those of another. Adding one does not lock the row of the ledger head, for
// which all appends wait.

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
import type { EctError, Rejection } from '../../errors.ts';
import type { Row } from '../ledger-rows.ts';
import { pendingKey, readFailure, writeFailure } from '../pending-recordings.ts';
import { PENDING_RECORDINGS } from '../store-reasons.ts';
import { type CallBatch, CallBatcher } from './call-batcher.ts';
import type { DatabaseUse, PostgresDatabase } from './database.ts';
import { wholeNumber } from './ledger-rows.ts';
import { write } from './own-commits.ts';
import { counts, end, fail, forget, insert, open, read, take } from './pending-statements.ts';

/** The maximum number of recordings in one statement. */
const MAX_GROUP = 128;
/** The maximum number of failures that one `take` deletes. */
const FORGOTTEN = 256;
/** Completions within this time, in milliseconds, share one statement, because no caller waits for them. */
const LATER_MS = 20;

interface NewRecording {
  readonly recording: PendingRecording;
  readonly leaseMs: number;
}

type Adding = CallBatch<NewRecording, PendingOutcome>;

export class PostgresPendingRecordings implements PendingRecordings {
  readonly #use: DatabaseUse;
  readonly #ledger: string;
  readonly #limits: PendingLimits;
  readonly #adding = new CallBatcher<NewRecording, PendingOutcome>((group) => this.#addAll(group), MAX_GROUP);
  readonly #ending = new CallBatcher<PendingRef, void>((group) => this.#endAll(group), MAX_GROUP, LATER_MS);

  /** `database` must stay open as long as this object. */
  constructor(database: PostgresDatabase, ledger = 'main', limits: PendingLimits = PENDING_LIMITS) {
    this.#use = database.use(PENDING_RECORDINGS);
    this.#ledger = ledger;
    this.#limits = limits;
  }

  add(recording: PendingRecording, leaseMs: number): Promise<PendingOutcome> {
    return this.#adding.add({ recording, leaseMs });
  }

  async find(task: TaskName): Promise<PendingState | undefined> {
    const { rows } = await this.#use.read(read(this.#ledger, pendingKey(task)));
    return rows[0] === undefined ? undefined : stateOf(rows[0]);
  }

  async take(limit: number, leaseMs: number): Promise<readonly PendingRecording[]> {
    const [taken] = await this.#use.repeatedly((session) =>
      write(session, take(this.#ledger, limit, leaseMs), forget(this.#ledger, FORGOTTEN)),
    );
    return (taken?.rows ?? []).map(recordingOf);
  }

  done(recording: PendingRef): Promise<void> {
    return this.#ending.add(recording);
  }

  async failed(recording: PendingRef, failure: Rejection, keepMs: number): Promise<void> {
    const statement = fail(this.#ledger, pendingKey(recording), recording.digest, writeFailure(failure), keepMs);
    await this.#use.repeatedly((session) => write(session, statement));
  }

  /** The database stays open. */
  async close(): Promise<void> {
    await Promise.all([this.#adding.end(), this.#ending.end()]);
    this.#use.close();
  }

  async #addAll(group: readonly Adding[]): Promise<void> {
    for (let left = group; left.length > 0; left = await this.#addEach(left));
  }

  /** Two round trips: one reads existing rows and counts, one inserts the recordings that fit. Returns those that must be tried again. */
  async #addEach(group: readonly Adding[]): Promise<readonly Adding[]> {
    const callers = [...new Set(group.map(({ item }) => item.recording.caller))];
    const keys = group.map(({ item }) => pendingKey(item.recording));
    const [existing, counted] = await this.#use.repeatedly((session) =>
      session.all(open(this.#ledger, keys), counts(this.#ledger, callers, this.#limits)),
    );
    const digests = new Map(existing!.rows.map((row) => [hex(row['key']), row['digest'] as Uint8Array]));
    const room = new Room(counted!.rows, this.#limits);
    const fresh = new Map<string, Adding>();
    const again: Adding[] = [];
    for (const adding of group) {
      const { recording } = adding.item;
      const name = hex(pendingKey(recording));
      const digest = digests.get(name);
      if (digest !== undefined) adding.resolve(outcomeBeside(digest, recording));
      // Its outcome depends on the previous one of the same task.
      else if (fresh.has(name)) again.push(adding);
      else {
        const full = room.take(recording.caller);
        if (full === undefined) fresh.set(name, adding);
        else adding.reject(full);
      }
    }
    return [...(await this.#insert([...fresh.values()])), ...again];
  }

  /** Returns those whose task had another recording by then. */
  async #insert(fresh: readonly Adding[]): Promise<readonly Adding[]> {
    if (fresh.length === 0) return [];
    // All processes use the same order, so that two statements cannot deadlock.
    const rows = fresh
      .map((adding) => ({ adding, key: pendingKey(adding.item.recording), ...adding.item }))
      .toSorted((a, b) => Buffer.compare(a.key, b.key));
    const [added] = await this.#use.repeatedly((session) => write(session, insert(this.#ledger, rows)));
    // The commit point: these pending recordings are durable.
    const own = new Set(added!.rows.map(({ key }) => hex(key)));
    for (const { key, adding } of rows) if (own.has(hex(key))) adding.resolve('added');
    return rows.filter(({ key }) => !own.has(hex(key))).map(({ adding }) => adding);
  }

  async #endAll(group: readonly CallBatch<PendingRef, void>[]): Promise<void> {
    const refs = group
      .map(({ item }) => ({ key: pendingKey(item), digest: item.digest }))
      .toSorted((a, b) => Buffer.compare(a.key, b.key));
    await this.#use.repeatedly((session) => write(session, end(this.#ledger, refs)));
    for (const { resolve } of group) resolve();
  }
}

/** How many more recordings may be pending, in total and for each caller. */
class Room {
  readonly #limits: PendingLimits;
  readonly #callers: Map<string, number>;
  #total: number;

  constructor(rows: readonly Row[], limits: PendingLimits) {
    this.#limits = limits;
    this.#callers = new Map(rows.map((row) => [textOf(row, 'caller'), wholeNumber(row, 'own')]));
    this.#total = rows[0] === undefined ? 0 : wholeNumber(rows[0], 'total');
  }

  /** Counts one recording; returns the error if the limit is reached. */
  take(caller: string): EctError | undefined {
    const own = this.#callers.get(caller) ?? 0;
    if (own >= this.#limits.perCaller) return tooManyPending('perCaller', this.#limits);
    if (this.#total >= this.#limits.total) return tooManyPending('total', this.#limits);
    this.#callers.set(caller, own + 1);
    this.#total++;
    return undefined;
  }
}

function outcomeBeside(digest: Uint8Array, recording: PendingRef): PendingOutcome {
  return Buffer.compare(digest, recording.digest) === 0 ? 'duplicate' : 'conflict';
}

function stateOf(row: Row): PendingState {
  const failure = textOf(row, 'failure');
  return {
    iss: textOf(row, 'iss'),
    digest: row['digest'] as Uint8Array,
    failure: failure === '' ? undefined : readFailure(failure),
  };
}

function recordingOf(row: Row): PendingRecording {
  return {
    wid: textOf(row, 'wid'),
    jti: textOf(row, 'jti'),
    iss: textOf(row, 'iss'),
    caller: textOf(row, 'caller'),
    digest: row['digest'] as Uint8Array,
    token: textOf(row, 'token'),
    requestedAt: wholeNumber(row, 'ordered_at'),
    provenance: (row['provenance'] as Uint8Array | null) ?? undefined,
  };
}

function textOf(row: Row, column: string): string {
  return (row[column] as Buffer).toString('utf8');
}

function hex(key: unknown): string {
  return Buffer.from(key as Uint8Array).toString('hex');
}
