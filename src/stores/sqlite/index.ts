// The stores that live in SQLite files on the local disk.

export { copyLedger, copyOnce } from './copy.ts';
export { DamageMark } from './damage-mark.ts';
export { isCorruption } from './failures.ts';
export { ledgerKindFault, onceKindFault } from './file-kind.ts';
export { SqliteIssueMemo } from './issue-memo.ts';
export { ledgerAge, onceAge, upgradeOnce } from './layout-age.ts';
export { type Damage, LedgerExaminer, SCRUBBED_STRUCTURE_BYTES } from './ledger-examiner.ts';
export { LedgerScrub, type ScrubWatch } from './ledger-scrub.ts';
export { SqliteLedgerStore } from './ledger-store.ts';
export { damageIn, OnceExaminer } from './once-examiner.ts';
export { TABLES_OF_ONCE } from './once-layout.ts';
export { addMissingOnce } from './once-merge.ts';
export { SqliteOnceRows } from './once-rows.ts';
export { addOpenOrders, type OpenOrders, readOpenOrders } from './open-orders.ts';
export { SqliteRecordingOrders } from './recording-orders.ts';
export { SqliteReplayGuard } from './replay-guard.ts';
export type { ScrubbedFile, ScrubOrder } from './scrub-thread.ts';
export { checkAtStart, checkOnceAtStart } from './start-check.ts';
export type { StorageStage, StorageWatch, WritableStore } from './storage-watch.ts';
