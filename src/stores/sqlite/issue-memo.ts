// Request ids in one SQLite file: a retry gets the same token after a restart too, and from every process.

import type { IssuedOnce, IssueMemo } from '../../authority/index.ts';
import { type Held, onceKey } from '../once.ts';
import type { StoreReasons } from './failures.ts';
import { ONCE_LAYOUT } from './once-layout.ts';
import { OnceTable } from './once-table.ts';
import { openDatabase } from './open-database.ts';
import type { StorageWatch, WritableStore } from './storage-watch.ts';

const REASONS: StoreReasons = {
  unavailable: 'IDEMPOTENCY_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'memory of request ids',
};

/** Holds issued tokens as they are: the file is as secret as they are. */
export class SqliteIssueMemo implements IssueMemo {
  readonly #issued: OnceTable;

  constructor(issued: OnceTable) {
    this.#issued = issued;
  }

  /** Opens the memo in the file at `path`, and creates the file where there is none. `earliest`: see OnceTable. */
  static open(path: string, earliest?: () => number, watch?: StorageWatch): SqliteIssueMemo {
    return new SqliteIssueMemo(new OnceTable(openDatabase(path, ONCE_LAYOUT, REASONS, watch), 'issued', earliest));
  }

  /** Whether the file can be written. */
  get writes(): WritableStore {
    return this.#issued.writes;
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

  /** See SqliteLedgerStore. */
  replacedFile(): string | undefined {
    return this.#issued.replacedFile();
  }

  async close(): Promise<void> {
    await this.#issued.close();
  }
}

function issuedOf(held: Held): IssuedOnce {
  return { requestDigest: held.digest, token: held.content };
}
