// A lease on background work that one replica does for all. The server determines when it expires; a fencing token, which increases with
// each holder, is part of each write, so that a replica that lost the lease without noticing writes nothing.

import { randomUUID } from 'node:crypto';
import { LEDGER } from '../store-reasons.ts';
import type { DatabaseUse, PostgresDatabase } from './database.ts';

/** How long the lease of a dead process excludes the others, in milliseconds. */
const LEASE_MS = 15_000;
/** A third of it, so that one attempt may fail. */
const RENEW_MS = 5_000;

export interface LeaseOptions {
  readonly ledger?: string;
  /** Whether this process can do the work: if not, it leaves the lease to others. */
  readonly isFit: () => boolean;
  /** Called when this process gets or loses the lease. Must not throw. */
  readonly onChanged: (token: number | undefined) => void;
  readonly lifeMs?: number;
}

/** The id of the holder. */
export interface Lease {
  /** The fencing token; undefined: this process does not hold the lease. */
  readonly token: number | undefined;
}

/** An SQL condition, after `AND`: the token in this parameter is that of the current lease. Without a token it is true. */
export function isFenced(parameter: string): string {
  return `(${parameter}::bigint IS NULL OR EXISTS (SELECT 1 FROM ect.leases l
             WHERE l.ledger = $1 AND l.name = 'background' AND l.token = ${parameter} AND l.expires_at > clock_timestamp()))`;
}

export class PostgresLease implements Lease {
  readonly #use: DatabaseUse;
  readonly #ledger: string;
  readonly #isFit: () => boolean;
  readonly #onChanged: (token: number | undefined) => void;
  readonly #lifeMs: number;
  readonly #holder = randomUUID();
  #current: { readonly token: number; readonly untilMs: number } | undefined;
  #reported: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> = Promise.resolve();
  #isClosing = false;

  /** Tries to get the lease at once and then periodically. `database` must stay open as long as the lease. */
  constructor(database: PostgresDatabase, { ledger = 'main', isFit, onChanged, lifeMs = LEASE_MS }: LeaseOptions) {
    this.#use = database.use(LEDGER);
    this.#ledger = ledger;
    this.#isFit = isFit;
    this.#onChanged = onChanged;
    this.#lifeMs = lifeMs;
    this.#renewIn(0);
  }

  /** The expiry by the monotonic clock, measured from before the request, so that it is never later here than on the server. */
  get token(): number | undefined {
    return this.#current !== undefined && performance.now() < this.#current.untilMs ? this.#current.token : undefined;
  }

  /** Releases the lease, so that another process need not wait for its expiry. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await this.#renewing;
    await this.#release().catch(() => undefined);
    this.#use.close();
  }

  #renewIn(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      // Failures are retried. Meanwhile the lease may expire.
      this.#renewing = this.#renew()
        .catch(() => undefined)
        .then(() => {
          this.#report();
          if (!this.#isClosing) this.#renewIn(Math.min(RENEW_MS, this.#lifeMs / 3));
        });
    }, pauseMs);
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    if (!this.#isFit()) return this.#release();
    const sentMs = performance.now();
    const { rows } = await this.#use.read({
      text: `INSERT INTO ect.leases AS held (ledger, name, holder, token, expires_at)
             VALUES ($1, 'background', $2, 1, clock_timestamp() + $3 * interval '1 millisecond')
             ON CONFLICT (ledger, name) DO UPDATE SET
               holder = excluded.holder, expires_at = excluded.expires_at,
               token = held.token + CASE WHEN held.holder = excluded.holder AND held.expires_at > clock_timestamp() THEN 0 ELSE 1 END
             WHERE held.holder = excluded.holder OR held.expires_at <= clock_timestamp()
             RETURNING token`,
      values: [this.#ledger, this.#holder, this.#lifeMs],
    });
    const [row] = rows;
    this.#current = row === undefined ? undefined : { token: Number(row['token']), untilMs: sentMs + this.#lifeMs };
  }

  async #release(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    this.#report();
    await this.#use.read({
      text: `UPDATE ect.leases SET expires_at = clock_timestamp()
             WHERE ledger = $1 AND name = 'background' AND holder = $2 AND token = $3`,
      values: [this.#ledger, this.#holder, current.token],
    });
  }

  #report(): void {
    const { token } = this;
    if (token === this.#reported) return;
    this.#reported = token;
    this.#onChanged(token);
  }
}
