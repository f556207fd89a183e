// An HTTP/2 server for many small calls, over plain sockets. Its interface is one stream and one receiver for each request.

export { Body } from './body.ts';
export { ByteBlock } from './byte-block.ts';
export { Connection, type ConnectionOptions } from './connection.ts';
export { writeHeaderBlock } from './header-writer.ts';
export type { HeaderList } from './hpack.ts';
export { type BodyMemory, JoinedBytes } from './joined-bytes.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export { limitReadAhead } from './read-ahead.ts';
export type { ReadSchedule } from './read-schedule.ts';
export type { Receiver } from './receiver.ts';
export { ownChunk, passOn, releaseBytes, releaseChunk, releaseCopied } from './released-memory.ts';
export { headerOf, type RequestHead, valuesOf } from './request-head.ts';
export type { Stream } from './stream.ts';
export type { StreamMemory } from './stream-memory.ts';
