// The composition root: the only room that imports all others.

export { ownDirectory } from './directory.ts';
export { isOperatorError, type RunningService, StartStopped, startService } from './start.ts';
