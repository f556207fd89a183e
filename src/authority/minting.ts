// The making of one token from claims that keep every rule.

import type { Cut, Signer, Until } from '../keys/index.ts';
import { type Claims, mintUnsigned, prepareToken, sealedBytes, sealToken, type Unsealed } from '../token/index.ts';
import type { IssueOrder, OwnToken } from './issue-order.ts';
import type { AuthorityParts } from './parts.ts';

/** A token that is being made, and how long it will be. */
export interface BegunMinting extends Cut<OwnToken> {
  readonly tokenBytes: number;
}

/**
 * Begins to make a token; without a signer one of level L1. Refuses with TOKEN_TOO_LARGE before anything is signed, and in
 * the end as the signer does.
 */
export function beginMinting(
  { policy }: AuthorityParts,
  { draft, ext }: IssueOrder,
  claims: Claims,
  signer: Signer | undefined,
  until: Until,
): BegunMinting {
  const { maxTokenBytes } = policy.token;
  if (signer !== undefined) {
    return new Minting(prepareToken(claims, ext?.text, signer, maxTokenBytes, draft), claims, signer, until);
  }
  const text = mintUnsigned(claims, ext?.text, maxTokenBytes);
  return {
    owesSignature: false,
    tokenBytes: Buffer.byteLength(text),
    settle: () => undefined,
    finish: () => ({ text, claims, kid: '' }),
  };
}

class Minting implements BegunMinting {
  readonly owesSignature = true;
  readonly #unsealed: Unsealed;
  readonly #claims: Claims;
  readonly #signer: Signer;
  readonly #until: Until;
  #answer: Uint8Array | Promise<Uint8Array> | undefined;

  constructor(unsealed: Unsealed, claims: Claims, signer: Signer, until: Until) {
    this.#unsealed = unsealed;
    this.#claims = claims;
    this.#signer = signer;
    this.#until = until;
  }

  get tokenBytes(): number {
    return sealedBytes(this.#unsealed);
  }

  settle(): void {
    this.#answer = this.#signer.sign(this.#unsealed.signingInput, this.#until);
    // It may fail before `finish` is called, which says so.
    if (this.#answer instanceof Promise) this.#answer.catch(() => undefined);
  }

  finish(): OwnToken | Promise<OwnToken> {
    const answer = this.#answer!;
    return answer instanceof Promise ? answer.then((raw) => this.#seal(raw)) : this.#seal(answer);
  }

  #seal(raw: Uint8Array): OwnToken {
    return { text: sealToken(this.#unsealed, raw), claims: this.#claims, kid: this.#signer.jwk.kid };
  }
}
