// A durable table of expiring keys in PostgreSQL, for the replay guard and the idempotency store.

import { answeredBy, deadlineMs, underDeadline } from '../../concurrency/call-deadline.ts';
import type { ExpiringKeyKind, ExpiringKeyRow, ExpiringKeys, KeyClaim, StoredValue } from '../expiring-keys.ts';
import type { Row } from '../ledger-rows.ts';
import { Sweep } from '../sweep.ts';
import { bigintArray, byteaArray } from './binary-arrays.ts';
import type { DatabaseUse, Statement } from './database.ts';
import { bytesOf, confirmRows } from './expiring-key-outcome.ts';
import { sweepKeys } from './expiring-key-sweep.ts';
import { isOutcomeOpen } from './failures.ts';
import type { Lease } from './lease.ts';
import { write } from './own-commits.ts';

interface Waiting extends KeyClaim {
  /** The deadline of the caller. */
  readonly answerByMs: number;
  readonly resolve: (holder: StoredValue | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** The value that is stored under a key, and its expiry. */
interface Holder extends StoredValue {
  readonly keepUntil: number;
}

/** The outcome of a claim. `failure`: unknown, with the error for the caller. `again`: the key has become free meanwhile. */
type ClaimOutcome = (Holder & { readonly isOwn: boolean }) | { readonly failure: unknown } | 'again';

/** The two purposes of the table, as its rows name them. */
export const KINDS: Readonly<Record<ExpiringKeyKind, number>> = { uses: 1, issued: 2 };

/**
 * Whether a row that holds exactly what a call wanted is as good as its own. A use without a request id may be another
 * party's of the same token, which is a replay; what was issued is different each time.
 */
const IS_OWN: Readonly<Record<ExpiringKeyKind, (value: StoredValue) => boolean>> = {
  uses: ({ label }) => label !== '',
  issued: () => true,
};

/** The maximum number of claims in one statement. */
const MAX_GROUP = 256;

/**
 * Rows by key. Claims that arrive in the same turn of the event loop share one statement, so one commit serves them all. Each is answered
 * only after that commit.
 */
export class ExpiringKeyTable implements ExpiringKeys {
  readonly #use: DatabaseUse;
  readonly #ledger: string;
  readonly #kind: number;
  readonly #isOwn: (value: StoredValue) => boolean;
  readonly #sweep: Sweep;
  #waiting: Waiting[] = [];
  #answering: Promise<void> | undefined;

  /**
   * `earliest` returns the time of the sweep in seconds, from the same clock as the claims of callers. `lease` determines which of
   * several processes that share the database sweeps; without it each of them does.
   */
  constructor(use: DatabaseUse, ledger: string, name: ExpiringKeyKind, earliest?: () => number, lease?: Lease) {
    this.#use = use;
    this.#ledger = ledger;
    this.#kind = KINDS[name];
    this.#isOwn = IS_OWN[name];
    this.#sweep = new Sweep({ step: (now) => sweepKeys(use, { ledger, kind: this.#kind }, now, lease), earliest });
  }

  /** Returns the value under the key at `now`, if there is one. */
  async get(key: Uint8Array, now: number): Promise<StoredValue | undefined> {
    this.#sweep.noteTime(now);
    const { rows } = await this.#use.read(this.#readHolders([key]));
    const [holder] = rows.map(holderOf);
    return holder !== undefined && holder.keepUntil >= now ? holder : undefined;
  }

  /** Stores the key unless it exists; then returns the existing row. Atomic across all processes that share the database. */
  putIfAbsent(claim: KeyClaim): Promise<StoredValue | undefined> {
    this.#sweep.noteTime(claim.now);
    const answerByMs = deadlineMs();
    const outcome = new Promise<StoredValue | undefined>((resolve, reject) => {
      this.#waiting.push({ ...claim, answerByMs, resolve, reject });
      this.#answering ??= this.#answerAll();
    });
    return answeredBy(answerByMs, outcome, () => this.#use.outOfTime());
  }

  /** Settles waiting calls. The database stays open. */
  async close(): Promise<void> {
    await Promise.all([this.#answering, this.#sweep.stop()]);
    this.#use.close();
  }

  async #answerAll(): Promise<void> {
    // Waits for one turn of the event loop, so that calls which were woken together are gathered.
    for (await nextTurn(); this.#waiting.length > 0; await nextTurn()) {
      const group = this.#waiting.splice(0, MAX_GROUP);
      try {
        const untilMs = group.reduce((latest, { answerByMs }) => Math.max(latest, answerByMs), 0);
        await underDeadline(untilMs, () => this.#answerGroup(group));
      } catch (error) {
        // A settled promise ignores this.
        for (const { reject } of group) reject(error);
      }
    }
    this.#answering = undefined;
  }

  /**
   * The first claim of each key is sent to the database. Later claims of the same key are answered from its result, each by its own time.
   */
  async #answerGroup(group: readonly Waiting[]): Promise<void> {
    for (let left = group; left.length > 0; ) {
      const firsts = new Map<string, Waiting>();
      for (const claim of left) {
        const name = hex(claim.key);
        if (!firsts.has(name)) firsts.set(name, claim);
      }
      const holders = await this.#take([...firsts.values()]);
      left = left.filter((claim) => {
        const name = hex(claim.key);
        const isFirst = firsts.get(name) === claim;
        const holder = holders.get(name);
        if (holder === undefined || holder === 'again') return true;
        if ('failure' in holder) {
          claim.reject(holder.failure);
          return false;
        }
        // For this claim the row has expired, although it had not for the first claim, so the database is asked again.
        if (!isFirst && holder.keepUntil < claim.now) return true;
        claim.resolve(isFirst && holder.isOwn ? undefined : holder);
        return false;
      });
    }
  }

  /** Returns the stored value of each key. */
  async #take(firsts: readonly Waiting[]): Promise<ReadonlyMap<string, ClaimOutcome>> {
    // All processes use the same order, so that two statements cannot deadlock.
    const claims = firsts.toSorted((a, b) => Buffer.compare(a.key, b.key));
    try {
      return await this.#takeFree(claims);
    } catch (error) {
      if (!isOutcomeOpen(error)) throw error;
      return this.#confirm(claims, error);
    }
  }

  /** It is unknown which claims were stored, so the rows are looked up. Claims that stay unknown get the failure. */
  async #confirm(claims: readonly Waiting[], failure: unknown): Promise<ReadonlyMap<string, ClaimOutcome>> {
    const recognisable = claims.filter(({ value }) => this.#isOwn(value));
    const table = { ledger: this.#ledger, kind: this.#kind };
    const areThere = await confirmRows(this.#use, table, recognisable).catch(() => []);
    const own = new Set(recognisable.filter((_, place) => areThere[place] === true));
    return new Map(
      claims.map((claim) => {
        const { key, value, keepUntil } = claim;
        return [hex(key), own.has(claim) ? { ...value, keepUntil, isOwn: true } : { failure }];
      }),
    );
  }

  async #takeFree(claims: readonly Waiting[]): Promise<ReadonlyMap<string, ClaimOutcome>> {
    const [taken, found] = await this.#use.repeatedly((session) =>
      write(session, this.#insert(claims), this.#readHolders(claims.map(({ key }) => key))),
    );
    const own = new Set(taken!.rows.map(({ key }) => hex(key as Uint8Array)));
    const stored = new Map(found!.rows.map((row) => [hex(row['key'] as Uint8Array), holderOf(row)]));
    const holders = new Map<string, ClaimOutcome>();
    for (const claim of claims) {
      const name = hex(claim.key);
      const holder = stored.get(name);
      if (own.has(name)) holders.set(name, { ...claim.value, keepUntil: claim.keepUntil, isOwn: true });
      else if (holder === undefined) holders.set(name, 'again');
      else if (holder.keepUntil >= claim.now) holders.set(name, { ...holder, isOwn: false });
      else holders.set(name, await this.#takeOver(claim));
    }
    return holders;
  }

  /** Replaces a row that has expired for this claim. */
  async #takeOver({ key, value, keepUntil, now }: KeyClaim): Promise<ClaimOutcome> {
    const statement: Statement = {
      name: 'take-over',
      text: `UPDATE ect.once SET digest = $4, label = $5, content = $6, keep_until = $7
             WHERE ledger = $1 AND kind = $2 AND key = $3 AND keep_until < $8`,
      values: [this.#ledger, this.#kind, key, ...bytesOf(value), keepUntil, now],
    };
    const [{ rowCount } = { rowCount: 0 }] = await this.#use.repeatedly((session) => write(session, statement));
    return rowCount === 1 ? { ...value, keepUntil, isOwn: true } : 'again';
  }

  #insert(claims: readonly KeyClaim[]): Statement {
    const parts = claims.map(({ value }) => bytesOf(value));
    return {
      name: 'put-if-absent',
      text: `INSERT INTO ect.once (ledger, kind, key, digest, label, content, keep_until)
             SELECT $1, $2, claim.* FROM unnest($3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[]) AS claim
             ON CONFLICT DO NOTHING RETURNING key`,
      values: [
        this.#ledger,
        this.#kind,
        byteaArray(claims.map(({ key }) => key)),
        byteaArray(parts.map(([digest]) => digest)),
        byteaArray(parts.map(([, label]) => label)),
        byteaArray(parts.map(([, , content]) => content)),
        bigintArray(claims.map(({ keepUntil }) => keepUntil)),
      ],
    };
  }

  #readHolders(keys: readonly Uint8Array[]): Statement {
    return {
      name: 'holders',
      text: `SELECT held.* FROM unnest($3::bytea[]) AS wanted (key) JOIN LATERAL (
               SELECT key, digest, label, content, keep_until FROM ect.once
               WHERE ledger = $1 AND kind = $2 AND key = wanted.key LIMIT 1) AS held ON true`,
      values: [this.#ledger, this.#kind, byteaArray(keys)],
    };
  }
}

function holderOf(row: Row): Holder {
  const { digest, label, content, keep_until: keepUntil } = row;
  return {
    digest: digest as Uint8Array,
    label: (label as Buffer).toString('utf8'),
    content: (content as Buffer).toString('utf8'),
    keepUntil: Number(keepUntil),
  };
}

/** Converts a row with its key. */
export function expiringKeyRowOf(row: Row): ExpiringKeyRow {
  return { key: row['key'] as Uint8Array, ...holderOf(row) };
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
