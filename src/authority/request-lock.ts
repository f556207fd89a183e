// A request id that names a call as a whole: held for its request before anything is done, in the memory of request ids.

import { EctError, reject } from '../errors.ts';
import { type Caller, keyScope } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { writeFor } from './write-reservation.ts';
import { heldBytes } from './write-sizes.ts';

/** What is held. */
export interface RequestLock {
  /** Of one kind of call: ids of different kinds never meet, nor do they meet those of Issue, which have no blank. */
  readonly kind: 'batch' | 'rotation';
  readonly requestId: string;
  /** SHA-256 of the request. */
  readonly digest: Uint8Array;
  /** What is to be done, as far as a repeated call must do the same. */
  readonly plan: string;
  readonly keepSeconds: number;
}

/**
 * Holds an id for its request, and answers the plan of the call that was first; durable when it answers. IDEMPOTENCY_CONFLICT where
 * the id stands for another request. As in Issue, callers that cannot be told apart do not meet.
 */
export async function lockRequest(
  context: AuthorityContext,
  caller: Caller,
  { kind, requestId, digest, plan, keepSeconds }: RequestLock,
): Promise<string> {
  const scope = keyScope(caller, digest);
  const wanted = { requestDigest: digest, token: plan };
  const keepUntil = context.now() + keepSeconds;
  const key = `${kind} ${requestId}`;
  const earliest = context.earliest();
  const earlier = await context.idempotency.findIssued(scope, key, earliest);
  const hold = () => context.idempotency.remember(scope, key, wanted, keepUntil, earliest);
  const write = { caller, use: 'idempotency', bytes: heldBytes(plan.length) } as const;
  // What administrators order in an incident does not wait for a quota.
  const held = earlier ?? (kind === 'rotation' ? await hold() : await writeFor(context, write, hold, () => true));
  if (Buffer.compare(held.requestDigest, digest) === 0) return held.token;
  throw new EctError(reject('IDEMPOTENCY_CONFLICT', 'The request_id was used for another request.'));
}
