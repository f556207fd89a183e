export type { BelievedClock } from './believed-clock.ts';
export { type OpenClock, openClock } from './open-clock.ts';
export { followSharedTime, type ReadSharedTime, type SharedTime } from './shared-time.ts';
