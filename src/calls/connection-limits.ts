// Limits of one connection, for HTTP/1.1 and HTTP/2.

/** Limits of one connection. Times are in milliseconds. */
export interface ConnectionLimits {
  /** The TLS handshake, or the first bytes without TLS; then the headers of an HTTP/1.1 request. */
  readonly firstBytesMs: number;
  /** Without a call. */
  readonly idleMs: number;
  /** An HTTP/1.1 request with its body: a little more than the longest call. */
  readonly requestMs: number;
  readonly maxConcurrentStreams: number;
  readonly maxHeaderBytes: number;
}

export const DEFAULT_LIMITS: ConnectionLimits = {
  firstBytesMs: 10_000,
  idleMs: 600_000,
  requestMs: 65_000,
  maxConcurrentStreams: 100,
  maxHeaderBytes: 16_384,
};
