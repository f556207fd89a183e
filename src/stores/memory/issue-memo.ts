// Request ids in memory: a retry after a restart of the service gets a new token.

import type { IssuedOnce, IssueMemo } from '../../authority/index.ts';
import { EctError, refuse } from '../../errors.ts';
import { type Held, onceKey } from '../once.ts';
import { OnceTable } from './once-table.ts';

/** Holds at most `capacity` keys. When all of them are live, a new one is refused: IDEMPOTENCY_UNAVAILABLE. */
export class MemoryIssueMemo implements IssueMemo {
  readonly #issued: OnceTable;
  #closed = false;

  constructor(capacity: number) {
    this.#issued = new OnceTable(capacity);
  }

  async recall(caller: string, key: string, now: number): Promise<IssuedOnce | undefined> {
    this.#refuseIfClosed();
    const held = this.#issued.peek(onceKey(caller, key), now);
    return held && issuedOf(held);
  }

  async remember(caller: string, key: string, issued: IssuedOnce, keepUntil: number, now: number): Promise<IssuedOnce> {
    this.#refuseIfClosed();
    const remembered = { digest: issued.requestDigest, label: '', content: issued.token };
    const held = this.#issued.hold(onceKey(caller, key), remembered, keepUntil, now, memoFull);
    return held === undefined ? issued : issuedOf(held);
  }

  /** Memory has no files. */
  replacedFile(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw unavailable('The memory of request ids is closed.');
  }
}

function issuedOf(held: Held): IssuedOnce {
  return { requestDigest: held.digest, token: held.content };
}

function memoFull(): EctError {
  return unavailable('The memory of request ids is full of ids that still count.');
}

function unavailable(message: string): EctError {
  return new EctError(refuse('IDEMPOTENCY_UNAVAILABLE', message));
}
