// A request id that identifies a whole call: it is stored with its request in the idempotency store before any work is done.

import { EctError, reject } from '../errors.ts';
import { type Caller, keyScope } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { writeFor } from './write-reservation.ts';
import { heldBytes } from './write-sizes.ts';

/** A locked request id. */
export interface RequestLock {
  /** The kind of call. Ids of different kinds are separate, also from those of Issue, whose scopes have no space. */
  readonly kind: 'batch' | 'rotation';
  readonly requestId: string;
  /** SHA-256 of the request. */
  readonly digest: Uint8Array;
  /**
   * Makes the plan of the call, as far as a repeated call must do the same. It rejects what the call would be rejected for, so that a call
   * that changes nothing does not use its id up. Not asked where the id is locked already.
   */
  readonly plan: () => Promise<string>;
  readonly keepSeconds: number;
}

/**
 * Locks an id for its request, and returns the plan of the first call with this id; the lock is then durable. IDEMPOTENCY_CONFLICT if
 * the id belongs to another request. As in Issue, the ids of anonymous callers never conflict.
 */
export async function lockRequest(
  context: AuthorityContext,
  caller: Caller,
  { kind, requestId, digest, plan, keepSeconds }: RequestLock,
): Promise<string> {
  const scope = keyScope(caller, digest);
  const keepUntil = context.now() + keepSeconds;
  const key = `${kind} ${requestId}`;
  const earliest = context.earliest();
  const find = () => context.idempotency.findIssued(scope, key, earliest);
  const lock = async (token: string) => {
    const remember = () =>
      context.idempotency.remember(scope, key, { requestDigest: digest, token }, keepUntil, earliest);
    const write = { caller, use: 'idempotency', bytes: heldBytes(token.length) } as const;
    // Requests of administrators are exempt from the quota, because they may be urgent.
    return kind === 'rotation' ? remember() : writeFor(context, write, remember, () => true);
  };
  const stored = (await find()) ?? (await planned(plan, find, lock));
  if (Buffer.compare(stored.requestDigest, digest) === 0) return stored.token;
  throw new EctError(
    reject('IDEMPOTENCY_CONFLICT', 'The request_id was used for another request.', { request_id: requestId }),
  );
}

/** A call of the same id that runs at the same time may have done what now cannot be done any more: then its lock counts. */
async function planned<Stored>(
  plan: () => Promise<string>,
  find: () => Promise<Stored | undefined>,
  lock: (plan: string) => Promise<Stored>,
): Promise<Stored> {
  let made: string;
  try {
    made = await plan();
  } catch (rejection) {
    const earlier = await find();
    if (earlier === undefined) throw rejection;
    return earlier;
  }
  return lock(made);
}
