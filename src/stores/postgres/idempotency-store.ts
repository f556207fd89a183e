// Request ids in PostgreSQL: a retry gets the same token after a restart too, and from every process.

import type { IdempotencyStore, IdempotentResult } from '../../authority/index.ts';
import { expiringKey, type StoredValue } from '../expiring-keys.ts';
import type { PostgresDatabase } from './database.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';
import type { StoreReasons } from './failures.ts';
import type { Lease } from './lease.ts';

const REASONS: StoreReasons = {
  unavailable: 'IDEMPOTENCY_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'memory of request ids',
};

/** Holds issued tokens as they are: the database is as secret as they are. */
export class PostgresIdempotencyStore implements IdempotencyStore {
  readonly #issued: ExpiringKeyTable;

  /** `database` must stay open for as long as the cache. `earliest`, `lease`: see ExpiringKeyTable. */
  constructor(database: PostgresDatabase, ledger = 'main', earliest?: () => number, lease?: Lease) {
    this.#issued = new ExpiringKeyTable(database.use(REASONS), ledger, 'issued', earliest, lease);
  }

  async findIssued(caller: string, key: string, now: number): Promise<IdempotentResult | undefined> {
    const stored = await this.#issued.get(expiringKey(caller, key), now);
    return stored && issuedOf(stored);
  }

  async remember(
    caller: string,
    key: string,
    issued: IdempotentResult,
    keepUntil: number,
    now: number,
  ): Promise<IdempotentResult> {
    const value = { digest: issued.requestDigest, label: '', content: issued.token };
    const holder = await this.#issued.putIfAbsent({ key: expiringKey(caller, key), value, keepUntil, now });
    return holder === undefined ? issued : issuedOf(holder);
  }

  async close(): Promise<void> {
    await this.#issued.close();
  }
}

function issuedOf(value: StoredValue): IdempotentResult {
  return { requestDigest: Uint8Array.from(value.digest), token: value.content };
}
