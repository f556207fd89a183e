// What the verification steps have found so far about one token, each for those after it.

import type { Algorithm, KeyRing, TrustedKey } from '../keys/index.ts';
import type { Claims, TypedClaims } from './claims.ts';
import type { Content, Parts } from './compact.ts';
import type { Draft } from './drafts.ts';
import { digestOfInput } from './hash.ts';
import type { SignatureCache } from './signature-cache.ts';
import type { TokenPolicy, VerifiedToken, VerifyOptions } from './verify-options.ts';

/** What is asked. `text` is attacker-controlled. */
interface Asked {
  readonly text: string;
  readonly options: VerifyOptions;
  readonly policy: TokenPolicy;
  readonly keys: KeyRing;
  readonly signatureCache: SignatureCache | undefined;
}

/**
 * What a step finds and later steps need: a step runs only where what it needs was found. All of it is attacker-controlled
 * until the signature has been checked.
 */
export interface StepFindings {
  /** The size is within bounds. */
  bounded: true;
  content: Content;
  /** Only of a signed token. */
  parts: Parts;
  algorithm: Algorithm;
  key: TrustedKey;
  /** The key fits the algorithm. */
  fits: true;
  draft: Draft;
  typed: TypedClaims;
}

/** To a step what it needs is simply there. */
export interface VerificationState extends Asked, StepFindings {
  /** Whether the signature was verified before; undefined where the cache was not asked yet. */
  isRemembered: boolean | undefined;
  /** No step has failed yet. */
  sound: boolean;
  /** Set once signature and claims hold. */
  token: VerifiedToken | undefined;
}

/** Opens the reading of one token: nothing is found yet. */
export function openVerificationState(asked: Asked): VerificationState {
  const { text, options, policy, keys, signatureCache } = asked;
  return {
    text,
    options,
    policy,
    keys,
    signatureCache,
    bounded: undefined,
    content: undefined,
    parts: undefined,
    algorithm: undefined,
    key: undefined,
    fits: undefined,
    draft: undefined,
    typed: undefined,
    isRemembered: undefined,
    sound: true,
    token: undefined,
  } as unknown as VerificationState;
}

/** A token whose digest is made when it is asked for: a verification without graph and replay never does. */
export class CheckedToken implements VerifiedToken {
  readonly claims: Claims;
  readonly kid: string;
  readonly level: 'L1' | 'L2';
  readonly draft: Draft;
  readonly signingInput: Uint8Array;
  #digest: Buffer | undefined;

  /** `claims` keep every rule, and `kid` is the key that signed; undefined for an unsigned object. */
  constructor(claims: Claims, draft: Draft, kid: string | undefined, signingInput: Uint8Array) {
    this.claims = claims;
    this.kid = kid ?? '';
    this.level = kid === undefined ? 'L1' : 'L2';
    this.draft = draft;
    this.signingInput = signingInput;
  }

  get digest(): Uint8Array {
    this.#digest ??= digestOfInput(this.signingInput);
    return this.#digest;
  }
}
