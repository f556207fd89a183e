// The options of a signer in AWS KMS: the key, its regions, the share of its quota, and timeouts.

import type { EctError } from '../../errors.ts';

export interface AwsKmsOptions {
  /** Key id, key ARN, alias name or alias ARN. An ARN is taken for each region in turn. */
  readonly key: string;
  /** In order of preference, one at least. A later one signs where an earlier one cannot: a multi-Region key. */
  readonly regions: readonly string[];
  /** Instead of AWS: an emulator, a private endpoint. */
  readonly endpoint?: string | undefined;
  /** This signer's share of the quota of each region. */
  readonly requestsPerSecond: number;
  /** Calls of `sign` that may be under way at once. */
  readonly concurrency: number;
  /** Learns that a region went out of use, and why, or came back. */
  readonly onChange?: (region: string, failure: EctError | undefined) => void;
  readonly timing?: Partial<Timing>;
}

/** How patient a signer is. Durations are milliseconds. */
export interface Timing {
  /** One request to KMS. */
  readonly callMs: number;
  /** How often a call of `sign` asks each region. */
  readonly attempts: number;
  /** The pause before the second attempt, at most; it doubles. */
  readonly pauseMs: number;
  /** Waiting for a turn within the quota. */
  readonly maxWaitMs: number;
  readonly failuresToOpen: number;
  /** How often a region that is out of use is tried. Also how long a fixed key stays rejected, at most. */
  readonly trialMs: number;
  /** A region that has not signed for so long is tried, so that readiness does not wait for a caller. */
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
