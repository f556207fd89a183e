// A batch under a request id: repeated, it is answered with the tokens that were made for it. Each token is remembered by itself
// before it leaves or is recorded, so also a batch that was cut off in the middle is gone on with where it ended.

import { createHash } from 'node:crypto';
import { createPace, type Ending } from '../pace.ts';
import type { Caller } from './caller.ts';
import { digestOfOrder } from './issue-once.ts';
import type { IssueOrder } from './issue-order.ts';
import type { AuthorityParts } from './parts.ts';
import { holdRequest } from './request-hold.ts';

/** An item of a batch. */
export interface BatchItem {
  readonly reference: string;
  readonly isDryRun: boolean;
  /** Undefined where it cannot be read: it is refused each time. */
  readonly order: IssueOrder | undefined;
}

/** What it costs to digest an order, in steps. */
const STEPS_PER_ORDER = 40;
/** Longer than a call can take: items are dated when their turn comes. */
const CALL_SECONDS = 60;

/**
 * Holds the id for these items. Answers the request id of each item that has none of its own, by its place. IDEMPOTENCY_CONFLICT
 * where the id stands for other items.
 */
export async function holdBatch(
  parts: AuthorityParts,
  caller: Caller,
  requestId: string,
  items: readonly BatchItem[],
  until: Ending,
): Promise<(place: number) => string> {
  const hash = createHash('sha256');
  const pace = createPace(until);
  for (const { reference, isDryRun, order } of items) {
    if (pace.step(STEPS_PER_ORDER)) await pace.rest();
    const name = [reference, isDryRun, order?.requestId ?? null];
    hash.update(JSON.stringify(name)).update(order === undefined ? NO_DIGEST : digestOfOrder(order));
  }
  const digest = hash.digest();
  const { defaultTtlSeconds, token } = parts.policy;
  const ttls = items.map(({ order }) => order?.ttlSeconds ?? defaultTtlSeconds);
  const keepSeconds = Math.min(Math.max(...ttls), token.maxLifetimeSeconds) + token.maxFutureSeconds + CALL_SECONDS;
  await holdRequest(parts, caller, { kind: 'batch', requestId, digest, plan: '', keepSeconds });
  const name = digest.toString('base64url');
  // With a blank, which no request id of a caller has.
  return (place) => `item ${requestId} ${name} ${place}`;
}

const NO_DIGEST = Buffer.alloc(32);
