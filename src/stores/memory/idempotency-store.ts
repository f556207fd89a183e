// The idempotency store in memory: a retry after a restart of the service gets a new token.

import { EctError, reject } from '../../errors.ts';
import { TableIdempotencyStore } from '../table-idempotency-store.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';

/** Stores at most `capacity` request ids. If all of them are unexpired, a new one is rejected: IDEMPOTENCY_UNAVAILABLE. */
export class MemoryIdempotencyStore extends TableIdempotencyStore {
  constructor(capacity: number) {
    super(
      new ExpiringKeyTable({
        capacity,
        full: () => unavailable('The idempotency store is full of unexpired request ids.'),
        closed: () => unavailable('The idempotency store is closed.'),
      }),
    );
  }

  /** Memory has no files. */
  replacedFile(): undefined {
    return undefined;
  }
}

function unavailable(message: string): EctError {
  return new EctError(reject('IDEMPOTENCY_UNAVAILABLE', message));
}
