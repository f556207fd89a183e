// The identity of a key: its id and its public key, because a name may later refer to another key.

import { createPublicKey, type KeyObject } from 'node:crypto';
import { describePublicKey, type Kid, type PublicJwk } from '../../keys/index.ts';
import { type AtStart, kmsError } from './failures.ts';
import type { Kms } from './kms.ts';

/** The key as KMS described it. Replicas of a multi-Region key have one identity. */
export interface KeyIdentity {
  /** The last part of its ARN: a UUID, or `mrk-` and 32 digits. */
  readonly keyId: string;
  readonly jwk: PublicJwk;
  readonly publicKey: KeyObject;
}

/** The stored identity: `kid` is a hash of the public key. */
export interface KeyPin {
  readonly keyId: string;
  readonly kid: Kid;
}

/** Reads the key of a region, and checks that it can sign with ES256 now. SIGNER_MISCONFIGURED if it cannot. */
export async function identifyKey(kms: Kms, region: string, signal: AbortSignal): Promise<KeyIdentity> {
  const { keyId, spec, usage, state } = await kms.describeKey(signal);
  const demand = (holds: boolean, detail: string, atStart: AtStart = 'fail') => {
    if (holds) return;
    const forStart = { atStart, brief: `it ${detail.replace(/\.$/, '')}` };
    throw kmsError('SIGNER_MISCONFIGURED', `The key of ECT_KMS_KEY in ${region} ${detail}`, forStart);
  };
  demand(usage === 'SIGN_VERIFY', `is not for signing: make one with usage SIGN_VERIFY.`);
  demand(spec === 'ECC_NIST_P256', `is not on P-256: make one of spec ECC_NIST_P256.`);
  demand(state !== 'Disabled', `is disabled: enable it.`, 'wait');
  demand(state === 'Enabled', `is pending deletion or otherwise unusable: restore it, or name another.`, 'wait');
  const { keyArn, der } = await kms.publicKey(signal);
  demand(
    typeof keyId === 'string' && keyIdOf(keyArn) === keyId,
    'changed during the request: start again when the alias no longer changes.',
    'wait',
  );
  const { publicKey, jwk } = await readPublicKey(der, region);
  return { keyId: keyId as string, jwk, publicKey };
}

/** The id in `arn:aws:kms:region:account:key/id`, or alone, as emulators return it; undefined for anything else. */
export function keyIdOf(arn: unknown): string | undefined {
  if (typeof arn !== 'string') return undefined;
  return /^(?:arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key\/)?([A-Za-z0-9-]{1,256})$/.exec(arn)?.[1];
}

async function readPublicKey(der: Uint8Array, region: string): Promise<{ publicKey: KeyObject; jwk: PublicJwk }> {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    return await describePublicKey(key);
  } catch {
    throw kmsError('SIGNER_BAD_OUTPUT', `GetPublicKey in ${region}: the answer is no P-256 key.`);
  }
}
