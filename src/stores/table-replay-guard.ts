// The replay guard over a table of expiring keys, for every adapter but Redis.

import type { Claim, ReplayGuard, TokenUse } from '../authority/index.ts';
import { claimOf, type ExpiringKeys, useKey, valueOfUse } from './expiring-keys.ts';

/** Limited by the table only: rows are deleted after their expiry. */
export class TableReplayGuard implements ReplayGuard {
  readonly #uses: ExpiringKeys;

  constructor(uses: ExpiringKeys) {
    this.#uses = uses;
  }

  async claim(use: TokenUse, keepUntil: number, now: number): Promise<Claim> {
    return claimOf(use, await this.#uses.putIfAbsent({ key: useKey(use), value: valueOfUse(use), keepUntil, now }));
  }

  async look(use: TokenUse, now: number): Promise<Claim> {
    return claimOf(use, await this.#uses.get(useKey(use), now));
  }

  async close(): Promise<void> {
    await this.#uses.close();
  }
}
