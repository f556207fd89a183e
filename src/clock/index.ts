export type { BelievedClock } from './believed-clock.ts';
export { type OpenClock, openClock } from './open-clock.ts';
