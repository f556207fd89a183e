// RotateKey with a request id: a repeated request rotates the key once, whichever process receives it. The generation to replace is
// stored under the request id before the rotation starts, and the unique names of key entries in the ledger prevent a second one.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { KeyChange, KeyManager, RotationInput } from '../key-manager/index.ts';
import { policyInForce } from './authorizer.ts';
import { type Caller, callerName, keyScope } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { provenanceOf } from './provenance.ts';
import { lockRequest } from './request-lock.ts';

/** The request of an administrator. */
export interface RotationRequest extends Pick<RotationInput, 'nextKey' | 'urgent' | 'note'> {
  /** Empty: each call is a separate request. */
  readonly requestId: string;
  /** Empty: any key. */
  readonly expectedCurrentKid: string;
}

const KEEP_SECONDS = 86_400;

/** Rotates the root key. A repeated request returns the same key. */
export async function rotateKey(
  context: AuthorityContext,
  keyManager: Pick<KeyManager, 'rotate' | 'planRotation'>,
  caller: Caller,
  { requestId, ...request }: RotationRequest,
  policy = policyInForce(context),
): Promise<KeyChange> {
  const provenance = provenanceOf({ caller, action: 'RotateKey', policy });
  const rotation = { ...request, by: callerName(caller), provenance };
  if (requestId === '') return keyManager.rotate(rotation);
  const digest = createHash('sha256')
    .update(canonicalize(request) as string)
    .digest();
  const generation = await lockRequest(context, caller, {
    kind: 'rotation',
    requestId,
    digest,
    plan: async () => String(await keyManager.planRotation(rotation)),
    keepSeconds: KEEP_SECONDS,
  });
  return keyManager.rotate({
    ...rotation,
    fromGeneration: Number(generation),
    request: nameOf(caller, requestId, digest),
  });
}

/** Identifies a request in the ledger without revealing its id. */
function nameOf(caller: Caller, requestId: string, digest: Uint8Array): string {
  return createHash('sha256')
    .update(JSON.stringify([keyScope(caller, digest), requestId]))
    .update(digest)
    .digest('base64url');
}
