// The results of the verification steps for one token, which later steps use.

import type { Algorithm, KeyRing, TrustedKey } from '../keys/index.ts';
import type { Claims, TypedClaims } from './claims.ts';
import type { Content, Parts } from './compact.ts';
import type { Draft } from './drafts.ts';
import { digestOfInput } from './hash.ts';
import type { SignatureCache } from './signature-cache.ts';
import type { TokenPolicy, VerifiedToken, VerifyOptions } from './verify-options.ts';

/** The token and the options of its verification. `text` is attacker-controlled. */
interface Asked {
  readonly text: string;
  readonly options: VerifyOptions;
  readonly policy: TokenPolicy;
  readonly keys: KeyRing;
  readonly signatureCache: SignatureCache | undefined;
}

/**
 * Results that later steps need. A step runs only if all results that it needs exist. All of them are attacker-controlled until the
 * signature has been checked.
 */
export interface StepFindings {
  /** The size is within its limit. */
  bounded: true;
  content: Content;
  /** Present for a signed token only. */
  parts: Parts;
  algorithm: Algorithm;
  key: TrustedKey;
  /** The key fits the algorithm. */
  fits: true;
  draft: Draft;
  typed: TypedClaims;
}

/** The state as a step sees it: every result that the step needs is present. */
export interface VerificationState extends Asked, StepFindings {
  /** Whether the signature is in the cache of verified signatures; undefined before the lookup. */
  isRemembered: boolean | undefined;
  /** Whether no step has failed so far. */
  sound: boolean;
  /** Set when the signature and the claims are valid. */
  token: VerifiedToken | undefined;
}

/** Creates the state for one token, without results. */
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

/** A verified token. Its digest is computed on first use: a verification without graph and replay check does not need it. */
export class CheckedToken implements VerifiedToken {
  readonly claims: Claims;
  readonly kid: string;
  readonly level: 'L1' | 'L2';
  readonly draft: Draft;
  readonly signingInput: Uint8Array;
  #digest: Buffer | undefined;

  /** `claims` must be valid. `kid` identifies the key that signed; undefined for an unsigned object. */
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
