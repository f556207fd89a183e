// The stores that live in SQLite files on the local disk.

export { copyLedger, copyOnce } from './copy.ts';
export { DamageMark } from './damage-mark.ts';
export { damageIn, ExpiringKeyExaminer } from './expiring-key-examiner.ts';
export { EXPIRING_KEY_TABLES } from './expiring-key-layout.ts';
export { addMissingKeys } from './expiring-key-merge.ts';
export { SqliteExpiringKeyRows } from './expiring-key-rows.ts';
export { isCorruption } from './failures.ts';
export { expiringKeyKindFault, ledgerKindFault } from './file-kind.ts';
export { SqliteIdempotencyStore } from './idempotency-store.ts';
export { ledgerAge, onceAge, upgradeOnce } from './layout-age.ts';
export { type Damage, LedgerExaminer } from './ledger-examiner.ts';
export { LedgerScrub, type ScrubWatch } from './ledger-scrub.ts';
export { SqliteLedgerStore } from './ledger-store.ts';
export { addOpenRecordings, type OpenRecordings, readOpenRecordings } from './open-recordings.ts';
export { SqlitePendingRecordings } from './pending-recordings.ts';
export { SqliteReplayGuard } from './replay-guard.ts';
export type { ScrubbedFile, ScrubOptions } from './scrub-thread.ts';
export { checkAtStart, checkOnceAtStart } from './start-check.ts';
export type { StorageStage, StorageWatch, WritableStore } from './storage-watch.ts';
