// RotateKey: an order under a request id is carried out once, however often it is sent and whichever process gets it. What it
// comes to is decided and remembered before it is begun; the names of the entries about keys see to the rest.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { KeyChange, KeyManager, RotationInput } from '../key-manager/index.ts';
import { policyInForce } from './authorizer.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { provenanceOf } from './provenance.ts';
import { lockRequest } from './request-lock.ts';

/** What an administrator asks for. */
export interface RotationRequest extends Pick<RotationInput, 'nextKey' | 'urgent' | 'note'> {
  /** Empty: each call is an order of its own. */
  readonly requestId: string;
  /** Empty: whichever it is. */
  readonly expectedCurrentKid: string;
}

const KEEP_SECONDS = 86_400;

/** Rotates the root key. A repeated call is answered with the same key. */
export async function rotateKey(
  context: AuthorityContext,
  keyManager: Pick<KeyManager, 'rotate' | 'planRotation'>,
  caller: Caller,
  { requestId, ...request }: RotationRequest,
  policy = policyInForce(context),
): Promise<KeyChange> {
  const provenance = provenanceOf({ caller, action: 'RotateKey', policy });
  const order = { ...request, by: callerName(caller), provenance };
  if (requestId === '') return keyManager.rotate(order);
  const digest = createHash('sha256')
    .update(canonicalize(request) as string)
    .digest();
  const plan = String(await keyManager.planRotation(order));
  const held = await lockRequest(context, caller, {
    kind: 'rotation',
    requestId,
    digest,
    plan,
    keepSeconds: KEEP_SECONDS,
  });
  return keyManager.rotate({ ...order, fromGeneration: Number(held) });
}
