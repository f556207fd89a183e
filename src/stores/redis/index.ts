// The replay guard in Redis, which any number of processes share.

export { UnfitRedis } from './failures.ts';
export { RedisReplayGuard } from './replay-guard.ts';
export type { RedisWatch } from './session-keeper.ts';
export type { RedisTarget } from './target.ts';
