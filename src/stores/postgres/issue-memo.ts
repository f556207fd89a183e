// Request ids in PostgreSQL: a retry gets the same token after a restart too, and from every process.

import type { IssuedOnce, IssueMemo } from '../../authority/index.ts';
import { type Held, onceKey } from '../once.ts';
import type { PostgresDatabase } from './database.ts';
import type { StoreReasons } from './failures.ts';
import type { Lease } from './lease.ts';
import { OnceTable } from './once-table.ts';

const REASONS: StoreReasons = {
  unavailable: 'IDEMPOTENCY_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'memory of request ids',
};

/** Holds issued tokens as they are: the database is as secret as they are. */
export class PostgresIssueMemo implements IssueMemo {
  readonly #issued: OnceTable;

  /** `database` must stay open for as long as the memo. `earliest`, `lease`: see OnceTable. */
  constructor(database: PostgresDatabase, ledger = 'main', earliest?: () => number, lease?: Lease) {
    this.#issued = new OnceTable(database.use(REASONS), ledger, 'issued', earliest, lease);
  }

  async recall(caller: string, key: string, now: number): Promise<IssuedOnce | undefined> {
    const held = await this.#issued.peek(onceKey(caller, key), now);
    return held && issuedOf(held);
  }

  async remember(caller: string, key: string, issued: IssuedOnce, keepUntil: number, now: number): Promise<IssuedOnce> {
    const held = { digest: issued.requestDigest, label: '', content: issued.token };
    const holder = await this.#issued.hold({ key: onceKey(caller, key), held, keepUntil, now });
    return holder === undefined ? issued : issuedOf(holder);
  }

  async close(): Promise<void> {
    await this.#issued.close();
  }
}

function issuedOf(held: Held): IssuedOnce {
  return { requestDigest: Uint8Array.from(held.digest), token: held.content };
}
