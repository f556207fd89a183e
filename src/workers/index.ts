// Several processes behind one port and over one data directory.

export { supervise } from './supervisor.ts';
export { openWorkerContext, type WorkerContext } from './worker-context.ts';
