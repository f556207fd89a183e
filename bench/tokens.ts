// Tokens that nobody has seen: root tasks of a usual size, about 700 characters, signed with the key that the servers trust.

import { createHash, randomUUID } from 'node:crypto';
import type { LocalSigner } from '../src/signers/local/index.ts';

export const ISSUER = 'urn:ect:dev:bench';
export const AUDIENCE = 'spiffe://bench.example/agent/verifier';
export const INPUT_HASH = createHash('sha256').update('input').digest('base64url');
export const OUTPUT_HASH = createHash('sha256').update('output').digest('base64url');
const LIFETIME_SECONDS = 600;
/** Tasks that share a workflow. */
const WORKFLOW_TASKS = 8;

/** Where a task stands: its workflow, and what it follows. */
export interface Place {
  readonly wid: string;
  readonly pred: readonly string[];
}

/** What tokens are signed with. */
export type TokenSigner = Pick<LocalSigner, 'jwk' | 'sign'>;

/** So many fresh tokens (JWS Compact Serialization): all in one place, or of root tasks. */
export function mintTokens(signer: TokenSigner, count: number, place?: Place): string[] {
  let wid = '';
  return Array.from({ length: count }, (_, task) => {
    if (task % WORKFLOW_TASKS === 0) wid = randomUUID();
    return mintToken(signer, place ?? { wid, pred: [] });
  });
}

/** One fresh token. */
export function mintToken(signer: TokenSigner, place: Place, jti: string = randomUUID()): string {
  const { alg, kid } = signer.jwk;
  const header = encode({ alg, typ: 'exec+jwt', kid });
  const signingInput = `${header}.${encode(claimsOf(place, jti))}`;
  const signature = Buffer.from(signer.sign(Buffer.from(signingInput, 'latin1')));
  return `${signingInput}.${signature.toString('base64url')}`;
}

function claimsOf({ wid, pred }: Place, jti: string) {
  const iat = Math.floor(Date.now() / 1000);
  return {
    iss: ISSUER,
    aud: [AUDIENCE],
    iat,
    exp: iat + LIFETIME_SECONDS,
    jti,
    wid,
    exec_act: 'review_spec',
    pred,
    inp_hash: INPUT_HASH,
    out_hash: OUTPUT_HASH,
  };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}
