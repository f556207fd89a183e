// The stores that live in SQLite files on the local disk.

export { SqliteIssueMemo } from './issue-memo.ts';
export { SqliteLedgerStore } from './ledger-store.ts';
export { SqliteReplayGuard } from './replay-guard.ts';
