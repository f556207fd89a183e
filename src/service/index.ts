// The composition root: the only room that imports all others.

export { ownDirectory } from './directory.ts';
export { type RunningService, startService } from './start.ts';
export { isOperatorError, StartStopped } from './start-errors.ts';
