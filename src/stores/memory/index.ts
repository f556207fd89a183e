// The stores in the memory of one process.

export { MemoryIdempotencyStore } from './idempotency-store.ts';
export { MemoryLedgerStore } from './ledger-store.ts';
export { MemoryPendingRecordings } from './pending-recordings.ts';
export { MemoryReplayGuard } from './replay-guard.ts';
