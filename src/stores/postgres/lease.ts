// A lease on the work that one of all replicas does for the others. The server says when it ends; a number that grows with each holder
// (the fencing token) goes into what the work writes, so that one who has lost the lease without noticing writes nothing.

import { randomUUID } from 'node:crypto';
import type { DatabaseUse, PostgresDatabase } from './database.ts';
import type { StoreReasons } from './failures.ts';

const REASONS: StoreReasons = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' };

/** How long the lease of a dead process still excludes the others, in milliseconds. */
const LEASE_MS = 15_000;
/** A third of it: one attempt may fail. */
const RENEW_MS = 5_000;

export interface LeaseOptions {
  readonly ledger?: string;
  /** Whether this process can do the work: one that cannot leaves it to others. */
  readonly isFit: () => boolean;
  /** Called when this process has got the lease, and when it has it no more. Must not throw. */
  readonly onChanged: (token: number | undefined) => void;
  readonly lifeMs?: number;
}

/** Who holds it. */
export interface Lease {
  /** The fencing token; undefined: another process holds it, or none. */
  readonly token: number | undefined;
}

/** In SQL, after `AND`: whether the token in this parameter is still the one of the lease. Without a token it always holds. */
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

  /** Tries to get it at once, and from then on. `database` must stay open for as long as the lease. */
  constructor(database: PostgresDatabase, { ledger = 'main', isFit, onChanged, lifeMs = LEASE_MS }: LeaseOptions) {
    this.#use = database.use(REASONS);
    this.#ledger = ledger;
    this.#isFit = isFit;
    this.#onChanged = onChanged;
    this.#lifeMs = lifeMs;
    this.#renewIn(0);
  }

  /** By the monotonic clock of this process since before the server was asked, so that it never ends later here than there. */
  get token(): number | undefined {
    return this.#current !== undefined && performance.now() < this.#current.untilMs ? this.#current.token : undefined;
  }

  /** Gives it back, so that another process need not wait for its end. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await this.#renewing;
    await this.#release().catch(() => undefined);
    this.#use.close();
  }

  #renewIn(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      // What fails is tried again. Until then the lease ends by itself.
      this.#renewing = this.#renew()
        .catch(() => undefined)
        .then(() => {
          this.#tell();
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
    this.#tell();
    await this.#use.read({
      text: `UPDATE ect.leases SET expires_at = clock_timestamp()
             WHERE ledger = $1 AND name = 'background' AND holder = $2 AND token = $3`,
      values: [this.#ledger, this.#holder, current.token],
    });
  }

  #tell(): void {
    const { token } = this;
    if (token === this.#reported) return;
    this.#reported = token;
    this.#onChanged(token);
  }
}
