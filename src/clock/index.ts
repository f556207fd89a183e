export type { BelievedClock } from './believed-clock.ts';
export { commandClock } from './command-clock.ts';
export { type OpenClock, openClock } from './open-clock.ts';
export { followSharedTime, type ReadSharedTime, type SharedTime } from './shared-time.ts';
