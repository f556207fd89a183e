// Files of the configuration that may change while the service runs.

export type { Content } from './contents.ts';
export { type FileGroup, type LoadedGroup, loadGroup } from './file-group.ts';
export { Reloader } from './reloader.ts';
