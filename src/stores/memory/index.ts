// The stores that live in the memory of one process.

export { MemoryIssueMemo } from './issue-memo.ts';
export { MemoryLedgerStore } from './ledger-store.ts';
export { MemoryRecordingOrders } from './recording-orders.ts';
export { MemoryReplayGuard } from './replay-guard.ts';
