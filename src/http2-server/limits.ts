// What one peer may make us do and keep.

import type { AbuseBudgetOptions } from './abuse-budget.ts';

/** Limits of one connection. Times are in milliseconds. */
export interface Limits extends AbuseBudgetOptions {
  readonly maxConcurrentStreams: number;
  /** A list of headers as HTTP/2 counts it; a block may have twice as many bytes. */
  readonly maxHeaderBytes: number;
  /** What the peer may send before it was taken, over all streams. */
  readonly windowBytes: number;
  /** Bodies that are kept until they are complete, over all streams. */
  readonly maxHeldBytes: number;
  /** Responses that wait for the peer to read, over all streams. */
  readonly maxWaitingBytes: number;
  /** In this time a waiting answer must get on by a whole frame, and a full socket must take something. */
  readonly stallMs: number;
  /** In this time a response that has to wait for its reader must have left whole. */
  readonly answerMs: number;
  /** A frame, or a block of headers, from its first byte to its last. */
  readonly frameMs: number;
  /** Without a byte and without a call. */
  readonly idleMs: number;
  /** From the announcement that a connection will end until it takes no more calls, where the peer does not answer the PING. */
  readonly lastCallMs: number;
  /** From a response to the reset of its stream, where the request is not complete. */
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
  // A client may cancel hundreds of calls at once; one that does nothing else has nothing to ask.
  resets: { burst: 2_000, perSecond: 5 },
};
