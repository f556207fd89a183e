// An HTTP/2 server for many small calls: connections over plain sockets, and a passage to Node's own server for the rest.

export { Body } from './body.ts';
export { Connection, type ConnectionOptions, type ReadTurns } from './connection.ts';
export { writeHeaderBlock } from './header-writer.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export { Passage } from './passage.ts';
export { headerOf, type RequestHead } from './request-head.ts';
export type { Receiver, Stream, StreamMemory } from './stream.ts';
