// RotateKey: an order under a request id is carried out once, however often it is sent and whichever process gets it. What it
// comes to is decided and remembered before it is begun; the names of the entries about keys see to the rest.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Custody, KeyChange, RotationOrder } from '../custody/index.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityParts } from './parts.ts';
import { holdRequest } from './request-hold.ts';

/** What an administrator asks for. */
export interface RotationRequest extends Pick<RotationOrder, 'nextKey' | 'urgent' | 'note'> {
  /** Empty: each call is an order of its own. */
  readonly requestId: string;
  /** Empty: whichever it is. */
  readonly expectedCurrentKid: string;
}

const KEEP_SECONDS = 86_400;

/** Rotates the root key. A repeated call is answered with the same key. */
export async function rotateKey(
  parts: AuthorityParts,
  custody: Pick<Custody, 'rotate' | 'planRotation'>,
  caller: Caller,
  { requestId, ...request }: RotationRequest,
): Promise<KeyChange> {
  const order = { ...request, by: callerName(caller) };
  if (requestId === '') return custody.rotate(order);
  const digest = createHash('sha256')
    .update(canonicalize(request) as string)
    .digest();
  const plan = String(await custody.planRotation(order));
  const held = await holdRequest(parts, caller, {
    kind: 'rotation',
    requestId,
    digest,
    plan,
    keepSeconds: KEEP_SECONDS,
  });
  return custody.rotate({ ...order, fromGeneration: Number(held) });
}
