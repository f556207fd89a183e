// Limits what a peer may make the service hold and compute at each stage of a call, and shares it among callers.

export { Account } from './accounts.ts';
export { type Admission, MAX_ACCOUNT_CALLS } from './admission.ts';
export { CallLimits } from './call-limits.ts';
export type { Begin, Load } from './call-scheduler.ts';
export type { Flow } from './fair-queue.ts';
export { FreeSpace, measureVolume } from './free-space.ts';
export { DEFAULT_PROCESS_LIMITS, MAX_CONNECTION_STREAMS, type ProcessLimits } from './limits.ts';
export type { Reservation } from './memory-budget.ts';
export { networkOf } from './networks.ts';
export { CONNECTION_RATE, PUBLIC_COST_MS } from './public-share.ts';
export type { ReadLane, ReadLanes } from './read-scheduler.ts';
export { createResources, type LimitName, type OnLimit, type Resources } from './resources.ts';
export { type Rate, TokenBucket } from './token-bucket.ts';
export { type UnreadCall, UnreadCalls } from './unread-calls.ts';
export { CallerWriteLimits } from './write-limits.ts';
export { WriteQuota } from './write-quota.ts';
