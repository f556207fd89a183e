// What lives in Redis, which any number of processes share: the replay guard.

export { UnfitRedis } from './failures.ts';
export { RedisReplayGuard } from './replay-guard.ts';
export type { RedisWatch } from './session-keeper.ts';
export type { RedisTarget } from './target.ts';
