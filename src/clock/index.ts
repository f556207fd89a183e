export { commandClock } from './command-clock.ts';
export { type OpenClock, openClock } from './open-clock.ts';
export { followSharedTime, type ReadSharedTime, type SharedTime } from './shared-time.ts';
export type { TrustedClock } from './trusted-clock.ts';
