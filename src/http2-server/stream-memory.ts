// The port to the memory limits of the process.

/** Memory of the process for one stream, besides the limits of its connection. */
export interface StreamMemory {
  /** Reserves more bytes. Returns whether there is room. */
  grow(bytes: number): boolean;
  shrink(bytes: number): void;
  /** A pinned stream is not evicted. */
  pin(isPinned: boolean): void;
  close(): void;
}

/** Only the limits of the connection apply. */
export const NO_PROCESS_LIMIT: StreamMemory = {
  grow: () => true,
  shrink: () => undefined,
  pin: () => undefined,
  close: () => undefined,
};
