// The idempotency store over a table of expiring keys, for every adapter.

import type { IdempotencyStore, IdempotentResult } from '../authority/index.ts';
import { type ExpiringKeys, expiringKey, type StoredValue } from './expiring-keys.ts';

/** Stores issued tokens in plain text: the table is as secret as they are. */
export class TableIdempotencyStore implements IdempotencyStore {
  readonly #issued: ExpiringKeys;

  constructor(issued: ExpiringKeys) {
    this.#issued = issued;
  }

  async findIssued(caller: string, key: string, now: number): Promise<IdempotentResult | undefined> {
    const stored = await this.#issued.get(expiringKey(caller, key), now);
    return stored && resultOf(stored);
  }

  async remember(
    caller: string,
    key: string,
    issued: IdempotentResult,
    keepUntil: number,
    now: number,
  ): Promise<IdempotentResult> {
    const value = { digest: issued.requestDigest, label: '', content: issued.token };
    const existing = await this.#issued.putIfAbsent({ key: expiringKey(caller, key), value, keepUntil, now });
    return existing === undefined ? issued : resultOf(existing);
  }

  async close(): Promise<void> {
    await this.#issued.close();
  }
}

function resultOf({ digest, content }: StoredValue): IdempotentResult {
  return { requestDigest: Uint8Array.from(digest), token: content };
}
