// The stores that live in a PostgreSQL database, which any number of processes share.

export { PostgresDatabase, type PostgresTarget } from './database.ts';
export { UnfitDatabase } from './failures.ts';
export { PostgresIssueMemo } from './issue-memo.ts';
export { PostgresLedgerStore } from './ledger-store.ts';
export { changeSchema, type SchemaChange, type SchemaOrder } from './migrate.ts';
export { PostgresRecordingOrders } from './recording-orders.ts';
export { PostgresReplayGuard } from './replay-guard.ts';
