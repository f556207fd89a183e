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

/** So many fresh tokens (JWS Compact Serialization). */
export function mintTokens(signer: LocalSigner, count: number): string[] {
  const { alg, kid } = signer.jwk;
  const header = encode({ alg, typ: 'exec+jwt', kid });
  const iat = Math.floor(Date.now() / 1000);
  let wid = '';
  return Array.from({ length: count }, (_, task) => {
    if (task % WORKFLOW_TASKS === 0) wid = randomUUID();
    const signingInput = `${header}.${encode(claimsOf(iat, wid))}`;
    const signature = Buffer.from(signer.sign(Buffer.from(signingInput, 'latin1')));
    return `${signingInput}.${signature.toString('base64url')}`;
  });
}

function claimsOf(iat: number, wid: string) {
  return {
    iss: ISSUER,
    aud: [AUDIENCE],
    iat,
    exp: iat + LIFETIME_SECONDS,
    jti: randomUUID(),
    wid,
    exec_act: 'review_spec',
    pred: [],
    inp_hash: INPUT_HASH,
    out_hash: OUTPUT_HASH,
  };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}
