// Port: how much a caller may make the service keep.

/** What is kept: an entry of the ledger, a use of a token, a token under a request id. */
export type WriteUse = 'ledger' | 'replay' | 'idempotency';

/**
 * Bounds what is written for callers. `caller` is the proven name, or one name for all callers without an identity.
 *
 * It answers at once and writes nothing itself. It rejects by EctError: QUOTA_EXCEEDED where the caller has had its share,
 * STORAGE_FULL where there is no room for anybody; nothing has been taken then. What administrators order (keys, marks) is not
 * asked about: it must be possible when nothing else is.
 */
export interface WriteLimits {
  /** Rejects what could not be taken now. Asked before the work that leads up to a write; takes nothing. */
  demand(caller: string, use: WriteUse, bytes: number): void;
  /** Takes the bytes, immediately before they are written. */
  take(caller: string, use: WriteUse, bytes: number): void;
  /** Gives back what was taken for a write that left nothing behind. */
  giveBack(caller: string, use: WriteUse, bytes: number): void;
}
