// What a stream may keep beside its connection, as the process that serves many connections counts it.

/** Bytes that the process can spare for one stream, beside what its connection may keep. */
export interface StreamMemory {
  /** Reserves so many more bytes. Returns whether there is room. */
  grow(bytes: number): boolean;
  shrink(bytes: number): void;
  /** While it is pinned, the stream is not ended because others need what it holds. */
  pin(isPinned: boolean): void;
  close(): void;
}

/** Only the connection limits. */
export const NO_PROCESS_LIMIT: StreamMemory = {
  grow: () => true,
  shrink: () => undefined,
  pin: () => undefined,
  close: () => undefined,
};
