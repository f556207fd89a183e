// Request ids in one SQLite file: a retry gets the same token after a restart too, and from every process.

import type { IdempotencyStore, IdempotentResult } from '../../authority/index.ts';
import { expiringKey, type StoredValue } from '../expiring-keys.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';
import type { StoreReasons } from './failures.ts';
import { openDatabase } from './open-database.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';

const REASONS: StoreReasons = {
  unavailable: 'IDEMPOTENCY_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'memory of request ids',
};

/** Holds issued tokens as they are: the file is as secret as they are. */
export class SqliteIdempotencyStore implements IdempotencyStore {
  readonly #issued: ExpiringKeyTable;

  constructor(issued: ExpiringKeyTable) {
    this.#issued = issued;
  }

  /** Opens the cache in the file at `path`, and creates the file where there is none. `earliest`: see ExpiringKeyTable. */
  static open(path: string, earliest?: () => number, watch?: StorageWatch): SqliteIdempotencyStore {
    return new SqliteIdempotencyStore(
      new ExpiringKeyTable(openDatabase(path, EXPIRING_KEY_LAYOUT, REASONS, watch), 'issued', earliest),
    );
  }

  /** Whether the file can be written. */
  get writes(): WritableStore {
    return this.#issued.writes;
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

  /** See SqliteLedgerStore. */
  replacedFile(): string | undefined {
    return this.#issued.replacedFile();
  }

  async close(): Promise<void> {
    await this.#issued.close();
  }
}

function issuedOf(value: StoredValue): IdempotentResult {
  return { requestDigest: value.digest, token: value.content };
}
