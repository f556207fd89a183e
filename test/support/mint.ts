// Makes and signs a token in one step, for tests that are not about the steps.

import type { CallDeadline, Signer } from '../../src/keys/index.ts';
import { type Claims, type CompactToken, type Draft, prepareToken, sealToken } from '../../src/token/index.ts';
import { AUD, ISS, JTI, NOW } from './tokens.ts';

/** Valid claims of a token without predecessors. */
export const claims: Claims = {
  iss: ISS,
  aud: [AUD],
  iat: NOW,
  exp: NOW + 600,
  jti: JTI as Claims['jti'],
  wid: '',
  exec_act: 'review_spec',
  pred: [],
  inp_hash: '',
  out_hash: '',
  ect_ext: undefined,
  policy: undefined,
};

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
