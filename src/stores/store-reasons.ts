// The reasons and names with which every adapter reports the failures of a store.

/** The reasons that a store gives for its failures. */
export interface StoreReasons {
  readonly unavailable: 'LEDGER_UNAVAILABLE' | 'REPLAY_GUARD_UNAVAILABLE' | 'IDEMPOTENCY_UNAVAILABLE';
  readonly corrupt: 'LEDGER_CORRUPT' | 'ONCE_CORRUPT';
  /** The name of the store in messages. */
  readonly what: string;
}

export const LEDGER: StoreReasons = {
  unavailable: 'LEDGER_UNAVAILABLE',
  corrupt: 'LEDGER_CORRUPT',
  what: 'ledger',
};

export const REPLAY_GUARD: StoreReasons = {
  unavailable: 'REPLAY_GUARD_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'replay guard',
};

export const REQUEST_IDS: StoreReasons = {
  unavailable: 'IDEMPOTENCY_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'idempotency store',
};

export const PENDING_RECORDINGS: StoreReasons = {
  unavailable: 'LEDGER_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'store of pending recordings',
};

/** The expiring keys as a whole, for copies and backups. */
export const EXPIRING_KEYS: StoreReasons = {
  unavailable: 'REPLAY_GUARD_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'store of used tokens',
};
