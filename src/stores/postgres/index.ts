// The stores in a PostgreSQL database, which any number of processes share.

export { readServerTime } from './clock.ts';
export { type DatabaseNotices, PostgresDatabase } from './database.ts';
export { PostgresExpiringKeyRows } from './expiring-key-rows.ts';
export { DatabaseOutOfReach, UnfitDatabase } from './failures.ts';
export { PostgresIdempotencyStore } from './idempotency-store.ts';
export { countOpenRecordings, countServices } from './in-use.ts';
export { PostgresLease } from './lease.ts';
export { PostgresLedgerExaminer } from './ledger-examiner.ts';
export { PostgresLedgerStore } from './ledger-store.ts';
export { changeSchema, type SchemaChange, type SchemaOptions } from './migrate.ts';
export { MovedLedger } from './moved.ts';
export { PostgresPendingRecordings } from './pending-recordings.ts';
export { PostgresReplayGuard } from './replay-guard.ts';
export type { PostgresTarget } from './target.ts';
