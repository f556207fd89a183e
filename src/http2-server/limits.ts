// Limits on what one peer may make us compute and keep.

import type { AbuseBudgetOptions } from './abuse-budget.ts';

/** Limits of one connection. Times are in milliseconds. */
export interface Limits extends AbuseBudgetOptions {
  readonly maxConcurrentStreams: number;
  /** The size of a header list as HTTP/2 counts it; a block may have twice as many bytes. */
  readonly maxHeaderBytes: number;
  /** The flow-control window of the connection. */
  readonly windowBytes: number;
  /** Bodies that are buffered until they are complete, over all streams. */
  readonly maxHeldBytes: number;
  /** Responses that wait for the peer to read, over all streams. */
  readonly maxWaitingBytes: number;
  /** The longest time in which a waiting response sends no whole frame, or a full socket accepts no bytes. */
  readonly stallMs: number;
  /** The longest time from when a response must wait for its peer until it is sent completely. */
  readonly answerMs: number;
  /** The longest time for a frame or a header block, from its first byte to its last. */
  readonly frameMs: number;
  /** The longest time without a byte and without a call. */
  readonly idleMs: number;
  /** The longest time from the first GOAWAY until no more calls are accepted, if the peer does not acknowledge the PING. */
  readonly lastCallMs: number;
  /** The delay from a response to the reset of its stream, if the request is incomplete. */
  readonly lateResetMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxConcurrentStreams: 100,
  maxHeaderBytes: 16_384,
  windowBytes: 1 << 20,
  maxHeldBytes: 16 << 20,
  maxWaitingBytes: 16 << 20,
  stallMs: 15_000,
  answerMs: 30_000,
  frameMs: 10_000,
  idleMs: 600_000,
  lastCallMs: 5_000,
  lateResetMs: 100,
  controlFrames: { burst: 1_000, perSecond: 100 },
  // A client may cancel hundreds of calls at once; one that only cancels gets no further budget.
  resets: { burst: 2_000, perSecond: 5 },
};
