// A token of ours in one go, for tests that are not about when it is signed.

import type { CallDeadline, Signer } from '../../src/keys/index.ts';
import { type Claims, type CompactToken, type Draft, prepareToken, sealToken } from '../../src/token/index.ts';

export async function mintToken(
  claims: Claims,
  extText: string | undefined,
  signer: Signer,
  maxTokenBytes: number,
  deadline: CallDeadline,
  draft: Draft = '01',
): Promise<CompactToken> {
  const unsealed = prepareToken(claims, extText, signer, maxTokenBytes, draft);
  return sealToken(unsealed, await signer.sign(unsealed.signingInput, deadline));
}
