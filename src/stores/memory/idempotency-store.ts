// The idempotency store in memory: a retry after a restart of the service gets a new token.

import type { IdempotencyStore, IdempotentResult } from '../../authority/index.ts';
import { EctError, reject } from '../../errors.ts';
import { expiringKey, type StoredValue } from '../expiring-keys.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';

/** Stores at most `capacity` request ids. If all of them are unexpired, a new one is rejected: IDEMPOTENCY_UNAVAILABLE. */
export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly #issued: ExpiringKeyTable;
  #closed = false;

  constructor(capacity: number) {
    this.#issued = new ExpiringKeyTable(capacity);
  }

  async findIssued(caller: string, key: string, now: number): Promise<IdempotentResult | undefined> {
    this.#rejectIfClosed();
    const stored = this.#issued.get(expiringKey(caller, key), now);
    return stored && issuedOf(stored);
  }

  async remember(
    caller: string,
    key: string,
    issued: IdempotentResult,
    keepUntil: number,
    now: number,
  ): Promise<IdempotentResult> {
    this.#rejectIfClosed();
    const remembered = { digest: issued.requestDigest, label: '', content: issued.token };
    const stored = this.#issued.putIfAbsent(expiringKey(caller, key), remembered, keepUntil, now, storeFull);
    return stored === undefined ? issued : issuedOf(stored);
  }

  /** Memory has no files. */
  replacedFile(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #rejectIfClosed(): void {
    if (this.#closed) throw unavailable('The idempotency store is closed.');
  }
}

function issuedOf(value: StoredValue): IdempotentResult {
  return { requestDigest: value.digest, token: value.content };
}

function storeFull(): EctError {
  return unavailable('The idempotency store is full of unexpired request ids.');
}

function unavailable(message: string): EctError {
  return new EctError(reject('IDEMPOTENCY_UNAVAILABLE', message));
}
