// The stores that live in SQLite files on the local disk.

export { ledgerKindFault, onceKindFault } from './file-kind.ts';
export { SqliteIssueMemo } from './issue-memo.ts';
export { type Damage, LedgerExaminer } from './ledger-examiner.ts';
export { SqliteLedgerStore } from './ledger-store.ts';
export { SqliteReplayGuard } from './replay-guard.ts';
