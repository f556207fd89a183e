// The composition root: the only room that knows every other.

export { ownDirectory } from './directory.ts';
export { isOperatorError, type RunningService, StartStopped, startService } from './start.ts';
