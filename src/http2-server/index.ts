// An HTTP/2 server for many small calls: connections over plain sockets, for one narrow interface: a stream, and who receives it.

export { Body } from './body.ts';
export { Connection, type ConnectionOptions, type ReadSchedule } from './connection.ts';
export { writeHeaderBlock } from './header-writer.ts';
export type { HeaderList } from './hpack.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export { headerOf, type RequestHead, valuesOf } from './request-head.ts';
export type { Receiver, Stream, StreamMemory } from './stream.ts';
