// A batch under a request id: repeated, it is answered with the tokens that were made for it. Each token is remembered by itself
// before it leaves or is recorded, so also a batch that was cut off in the middle is gone on with where it ended.

import { createHash } from 'node:crypto';
import { createYielder, type Ending } from '../concurrency/yielder.ts';
import type { Caller } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { digestOfIssueInput } from './idempotent-issue.ts';
import type { IssueInput } from './issue-input.ts';
import { lockRequest } from './request-lock.ts';

/** An item of a batch. */
export interface BatchItem {
  readonly reference: string;
  readonly isDryRun: boolean;
  /** Undefined where it cannot be read: it is rejected each time. */
  readonly input: IssueInput | undefined;
}

/** The cost of hashing an input, in steps. */
const STEPS_PER_INPUT = 40;
/** Longer than a call can take: items are dated when their turn comes. */
const CALL_SECONDS = 60;

/**
 * Holds the id for these items. Returns the request id of each item that has none of its own, by its place. IDEMPOTENCY_CONFLICT
 * where the id stands for other items.
 */
export async function lockBatch(
  context: AuthorityContext,
  caller: Caller,
  requestId: string,
  items: readonly BatchItem[],
  deadline: Ending,
): Promise<(place: number) => string> {
  const hash = createHash('sha256');
  const yielder = createYielder(deadline);
  for (const { reference, isDryRun, input } of items) {
    if (yielder.step(STEPS_PER_INPUT)) await yielder.yield();
    const name = [reference, isDryRun, input?.requestId ?? null];
    hash.update(JSON.stringify(name)).update(input === undefined ? NO_DIGEST : digestOfIssueInput(input));
  }
  const digest = hash.digest();
  const { defaultTtlSeconds, token } = context.policy;
  const ttls = items.map(({ input }) => input?.ttlSeconds ?? defaultTtlSeconds);
  const keepSeconds = Math.min(Math.max(...ttls), token.maxLifetimeSeconds) + token.maxFutureSeconds + CALL_SECONDS;
  await lockRequest(context, caller, { kind: 'batch', requestId, digest, plan: async () => '', keepSeconds });
  const name = digest.toString('base64url');
  // With a space, which no request id of a caller has.
  return (place) => `item ${requestId} ${name} ${place}`;
}

const NO_DIGEST = Buffer.alloc(32);
