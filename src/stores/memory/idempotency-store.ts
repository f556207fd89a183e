// Request ids in memory: a retry after a restart of the service gets a new token.

import type { IdempotencyStore, IdempotentResult } from '../../authority/index.ts';
import { EctError, reject } from '../../errors.ts';
import { expiringKey, type Held } from '../expiring-keys.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';

/** Holds at most `capacity` keys. When all of them are live, a new one is rejected: IDEMPOTENCY_UNAVAILABLE. */
export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly #issued: ExpiringKeyTable;
  #closed = false;

  constructor(capacity: number) {
    this.#issued = new ExpiringKeyTable(capacity);
  }

  async findIssued(caller: string, key: string, now: number): Promise<IdempotentResult | undefined> {
    this.#rejectIfClosed();
    const held = this.#issued.peek(expiringKey(caller, key), now);
    return held && issuedOf(held);
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
    const held = this.#issued.hold(expiringKey(caller, key), remembered, keepUntil, now, storeFull);
    return held === undefined ? issued : issuedOf(held);
  }

  /** Memory has no files. */
  replacedFile(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #rejectIfClosed(): void {
    if (this.#closed) throw unavailable('The memory of request ids is closed.');
  }
}

function issuedOf(held: Held): IdempotentResult {
  return { requestDigest: held.digest, token: held.content };
}

function storeFull(): EctError {
  return unavailable('The memory of request ids is full of ids that still count.');
}

function unavailable(message: string): EctError {
  return new EctError(reject('IDEMPOTENCY_UNAVAILABLE', message));
}
