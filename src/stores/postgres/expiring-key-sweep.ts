// Removes the rows whose time is over.

import type { DatabaseUse, Statement } from './database.ts';
import { isFenced, type Lease } from './lease.ts';

/** How often the table looks for rows whose time is over. */
const SWEEP_MS = 1_000;
/** The pause between two steps while there is more to do. */
const NEXT_STEP_MS = 100;
const SWEPT_ROWS = 1_000;

export class ExpiringKeySweep {
  readonly #use: DatabaseUse;
  readonly #table: { readonly ledger: string; readonly kind: number };
  readonly #earliest: (() => number) | undefined;
  readonly #lease: Lease | undefined;
  /** The last known time, and when it was given: the sweep uses it where no clock is at hand. */
  readonly #told = { now: Number.NEGATIVE_INFINITY, atMs: 0 };
  #sweeping: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;

  /** Begins at once, and goes on until it is stopped. */
  constructor(
    use: DatabaseUse,
    table: { readonly ledger: string; readonly kind: number },
    earliest: (() => number) | undefined,
    lease: Lease | undefined,
  ) {
    this.#use = use;
    this.#table = table;
    this.#earliest = earliest;
    this.#lease = lease;
    this.#sweepIn(SWEEP_MS);
  }

  /** A time in seconds, as a caller has it. */
  tell(now: number): void {
    this.#told.now = now;
    this.#told.atMs = performance.now();
  }

  /** Settles when nothing is removed any more. */
  async stop(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
  }

  #sweepIn(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#step().then(
        (hasMore) => this.#sweepAgain(hasMore ? NEXT_STEP_MS : SWEEP_MS),
        // The next write reports a failure that lasts. The sweep can wait.
        () => this.#sweepAgain(SWEEP_MS),
      );
    }, pauseMs);
    this.#timer.unref();
  }

  #sweepAgain(pauseMs: number): void {
    if (!this.#isClosing) this.#sweepIn(pauseMs);
  }

  /**
   * One step of forgetting, with rows that no other process has in hand. The clock of the server must agree, so that a
   * process whose clock is ahead does not take away what counts for the others. One that has lost the lease removes
   * nothing. Returns whether there is more to do.
   */
  async #step(): Promise<boolean> {
    const { now: told, atMs } = this.#told;
    const now = this.#earliest?.() ?? Math.floor(told + (performance.now() - atMs) / 1000);
    const token = this.#lease?.token;
    const { ledger, kind } = this.#table;
    if (!Number.isFinite(now) || (this.#lease !== undefined && token === undefined)) return false;
    const statement: Statement = {
      name: 'sweep',
      text: `DELETE FROM ect.once WHERE ctid = ANY (ARRAY (
               SELECT ctid FROM ect.once
               WHERE ledger || '' = $1 AND kind = $2 AND keep_until < least($3::bigint, floor(extract(epoch FROM now()))::bigint)
                 AND ${isFenced('$5')}
               ORDER BY keep_until LIMIT $4 FOR UPDATE SKIP LOCKED))`,
      values: [ledger, kind, now, SWEPT_ROWS, token ?? null],
    };
    const { rowCount } = await this.#use.read(statement);
    return rowCount === SWEPT_ROWS;
  }
}
