// The options of a signer in AWS KMS: the key, its regions, the share of its quota, and timeouts.

import type { EctError } from '../../errors.ts';

export interface AwsKmsOptions {
  /** Key id, key ARN, alias name or alias ARN. An ARN is taken for each region in turn. */
  readonly key: string;
  /** In order of preference, at least one. A later one signs if an earlier one cannot: a multi-Region key. */
  readonly regions: readonly string[];
  /** Used instead of AWS: an emulator, a private endpoint. */
  readonly endpoint?: string | undefined;
  /** This signer's share of the quota of each region. */
  readonly requestsPerSecond: number;
  /** The maximum number of concurrent calls of `sign`; fewer if the quota permits fewer within the longest wait. */
  readonly concurrency: number;
  /** Called when a region becomes unavailable, with the cause, or available again. */
  readonly onChange?: (region: string, failure: EctError | undefined) => void;
  readonly timing?: Partial<Timing>;
}

/** Timeouts and retries. Durations are milliseconds. */
export interface Timing {
  /** One request to KMS. */
  readonly callMs: number;
  /** How often a call of `sign` tries each region. */
  readonly attempts: number;
  /** The maximum pause before the second attempt; it doubles. */
  readonly pauseMs: number;
  /** The longest wait for a free request, and for the rate limit. */
  readonly maxWaitMs: number;
  readonly failuresToOpen: number;
  /** How often an unavailable region is tried, and so the longest delay after it was corrected. */
  readonly trialMs: number;
  /** A region that has not signed for this long is tried, so that readiness does not depend on calls. */
  readonly idleMs: number;
}

export const TIMING: Timing = {
  callMs: 1000,
  attempts: 3,
  pauseMs: 50,
  maxWaitMs: 1000,
  failuresToOpen: 5,
  trialMs: 1000,
  idleMs: 30_000,
};
